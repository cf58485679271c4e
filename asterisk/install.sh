#!/bin/sh
# Installs or updates the kit on an Asterisk host. May be run again at any time: what an operator edits is never overwritten.
#
#   ./install.sh --url https://patchbay.example.com --token TOKEN [--user asterisk]
#                [--ssh-key FILE.pub]     Patchbay's public key: lets it originate and redirect through patchbay-gate
#                [--bridge-events]        also tell who leaves which bridge (needs ARI on loopback)
#                [--root DIR]             install below DIR (for packagers and tests; touches no service)
set -eu

url='' token='' user='' key='' bridges='' root=''
while [ $# -gt 0 ]; do
    case $1 in
        --url) url=$2; shift 2 ;;
        --token) token=$2; shift 2 ;;
        --user) user=$2; shift 2 ;;
        --ssh-key) key=$2; shift 2 ;;
        --bridge-events) bridges=1; shift ;;
        --root) root=$2; shift 2 ;;
        *) sed -n '2,/^set -eu/{/^set -eu/!s/^# \{0,1\}//p}' "$0"; exit 2 ;;
    esac
done
here=$(cd "$(dirname "$0")" && pwd)
say() { printf '%s\n' "$*"; }
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "must be root"
[ -d "$root/etc/asterisk" ] || die "no $root/etc/asterisk: is Asterisk on this host?"
if [ -z "$root" ]; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2>/dev/null || die "needs python3, 3.7 or newer (apt install python3)"
fi
# who Asterisk runs as, by its own configuration
[ -n "$user" ] || user=$(sed -n 's/^ *runuser *=>\{0,1\} *\([^ ;]*\).*/\1/p' "$root/etc/asterisk/asterisk.conf" 2>/dev/null | tail -n 1)
user=${user:-asterisk}
group=$(id -gn "$user" 2>/dev/null) || die "no user $user here: say --user NAME"
case $url in '' | http://?* | https://?*) ;; *) die "--url must be http://… or https://…" ;; esac
case $token in *[!A-Za-z0-9._-]*) die "--token has characters no token has" ;; esac

once() { # SOURCE TARGET MODE: only where there is none
    [ -e "$2" ] || { install -m "$3" "$1" "$2"; say "new: $2"; }
}
set_key() { # FILE KEY VALUE: the first line "KEY =", replaced without the value meeting a shell or a pattern
    KEY=$2 VALUE=$3 awk '!done && $1 == ENVIRON["KEY"] && $2 == "=" { print ENVIRON["KEY"] " = " ENVIRON["VALUE"]; done = 1; next } { print }' "$1" >"$1.new"
    cat "$1.new" >"$1"
    rm "$1.new"
}

umask 077
install -d -m 755 "$root/usr/local/lib/patchbay" "$root/etc/patchbay"
for f in patchbay-drain patchbay-bridge-events patchbay-gate; do install -m 755 "$here/$f" "$root/usr/local/lib/patchbay/$f"; done
install -d -m 750 -o "$user" -g "$group" "$root/var/spool/patchbay" "$root/var/log/patchbay"
for d in new tmp bad; do install -d -m 750 -o "$user" -g "$group" "$root/var/spool/patchbay/$d"; done

for f in extensions_patchbay.conf cdr_custom_patchbay.conf; do install -m 640 -o "$user" -g "$group" "$here/$f" "$root/etc/asterisk/$f"; done
once "$here/extensions_patchbay_site.conf.example" "$root/etc/asterisk/extensions_patchbay_site.conf" 640
chown "$user:$group" "$root/etc/asterisk/extensions_patchbay_site.conf"

conf=$root/etc/patchbay/patchbay.conf
once "$here/patchbay.conf.example" "$conf" 600
once "$here/gate.conf.example" "$root/etc/patchbay/gate.conf" 644
[ -z "$url" ] || set_key "$conf" url "$url"
[ -z "$token" ] || set_key "$conf" token "$token"
set_key "$conf" user "$user" # the first "user =" is the spool's

if [ -n "$bridges" ]; then
    ari=$root/etc/asterisk/ari_patchbay.conf
    if [ ! -e "$ari" ]; then
        secret=$(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')
        printf '; made by the installation of Patchbay; #include it in ari.conf\n[patchbay]\ntype = user\npassword = %s\n' "$secret" >"$ari"
        chown "$user:$group" "$ari"
        set_key "$conf" password "$secret"
        say "new: $ari"
    fi
fi

if [ -n "$key" ]; then
    grep -Eq '^(ssh-ed25519|ecdsa-sha2-[a-z0-9-]+|ssh-rsa) [A-Za-z0-9+/=]+' "$key" || die "$key is not a public key"
    [ "$(wc -l <"$key")" -le 1 ] || die "$key holds more than one key"
    # '*' and not '!': some sshd refuse a locked account even with a key
    id patchbay >/dev/null 2>&1 || useradd -r -m -d /var/lib/patchbay -s /bin/sh -p '*' patchbay
    usermod -aG "$group" patchbay
    home=$(getent passwd patchbay | cut -d: -f6)
    install -d -m 700 -o patchbay -g "$(id -gn patchbay)" "$root$home/.ssh"
    line="command=\"/usr/local/lib/patchbay/patchbay-gate\",restrict $(cat "$key")"
    keys=$root$home/.ssh/authorized_keys
    grep -qxF "$line" "$keys" 2>/dev/null || { printf '%s\n' "$line" >>"$keys"; say "key added: $keys"; }
    chown patchbay "$keys"
fi

install -d -m 755 "$root/etc/systemd/system" "$root/etc/logrotate.d"
install -m 644 "$here"/systemd/*.service "$root/etc/systemd/system/"
sed "s/su asterisk asterisk/su $user $group/; s/asterisk asterisk\$/$user $group/" "$here/patchbay.logrotate" >"$root/etc/logrotate.d/patchbay"
chmod 644 "$root/etc/logrotate.d/patchbay"

if [ -z "$root" ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable -q patchbay-drain
    systemctl restart patchbay-drain
    [ -z "$bridges" ] || { systemctl enable -q patchbay-bridge-events; systemctl restart patchbay-bridge-events; }
fi

say "installed. What remains by hand (README.md):"
has() { grep -Eqs "^[[:space:]]*#include[[:space:]]+[\"<]?$1" "$root"/etc/asterisk/*.conf; }
has extensions_patchbay.conf || say "  extensions.conf (FreePBX: extensions_custom.conf): #include extensions_patchbay.conf"
has extensions_patchbay_site.conf || say "  the same file: #include extensions_patchbay_site.conf   and fit it to this host"
has cdr_custom_patchbay.conf || say "  cdr_custom.conf: #include cdr_custom_patchbay.conf"
[ -z "$bridges" ] || has ari_patchbay.conf || say "  ari.conf: [general] enabled = yes, #include ari_patchbay.conf; http.conf: enabled = yes, bindaddr = 127.0.0.1"
[ -z "$key" ] || grep -Eqs '^[[:space:]]*astctlgroup' "$root/etc/asterisk/asterisk.conf" || say "  asterisk.conf [files]: astctlpermissions = 0660, astctlgroup = $group   then restart Asterisk"
grep -Eq '^token = .' "$conf" || say "  $conf: token"
say "  the calls in your own dialplan, then: asterisk -rx 'dialplan reload'"
