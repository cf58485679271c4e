//! The demo: a server in this process on a database of its own, with a made-up enterprise, the simulators and an
//! emulated host whose phones do not stop ringing. Called by `patchbay demo`; leaves nothing behind.

mod crms;
mod scene;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;
use secrecy::SecretString;
use simulators::{retailcrm, telegram};

use crate::emulator::busy_hour::{self, Hour};
use crate::emulator::player::{Player, Target};
use crate::startup;
use crate::temporary::Folder;
use crate::web::session::password;

const LOGIN: &str = "admin";
/// Good for this machine only; whoever reaches the demo from elsewhere gets an invented one.
const PASSWORD: &str = "patchbay-demo";
/// Taken where they are free.
const PORTS: [u16; 3] = [8000, 9101, 9102];
/// Calls at once at most.
const MOST: usize = 60;

/// What may be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The address to listen on.
    pub bind: IpAddr,
    pub calls_per_minute: f64,
}

/// Runs until Ctrl-C or SIGTERM.
///
/// # Errors
/// When something cannot be started.
pub fn run(options: Options) -> anyhow::Result<()> {
    let folder = Folder::new(&format!("demo_{}", std::process::id()))?;
    let local = options.bind.is_loopback();
    let (word, own) = (
        if local {
            PASSWORD.to_owned()
        } else {
            password::invent()
        },
        free(options.bind, PORTS[0])?,
    );
    let system = actix_web::rt::System::new();
    let clients = busy_hour::clients(36);
    let (crm, bots, others) = system.block_on(async {
        let crm = free(options.bind, PORTS[1])?.to_string();
        let crm = retailcrm::start(&crm, scene::crm(&clients)).await?;
        let bots = free(options.bind, PORTS[2])?.to_string();
        let bots = telegram::start(&bots, scene::bots()).await?;
        let others = crms::start(options.bind).await?;
        anyhow::Ok((crm, bots, others))
    })?;
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let settings = crate::config::with(&format!(
        "[server]\nlisten = [\"{own}\"]\npublic_url = \"http://{own}\"\nstop_timeout = \"3s\"\n\
         [database]\nurl = {database}\n\
         [telegram]\nbase_url = {telegram}\nlink_url = {links}\n\
         [deliveries]\nprivate_networks = [\"127.0.0.0/8\"]\n\
         [log]\nfolder = {logs}\n",
        database = text(&format!("sqlite:{}", folder.path.join("demo.db").display())),
        telegram = text(&reachable(bots.addr)),
        links = text(&format!("{}/open", reachable(bots.addr))),
        logs = text(&folder.path.join("logs").display().to_string()),
    ))?
    .settings;
    // Before anything runs on the arbiter: opening blocks.
    let store = startup::open_store(&settings)?;
    system.block_on(async {
        scene::furnish(&store, &reachable(crm.addr), LOGIN, &word).await?;
        let server = startup::start(Arc::new(settings), store).await?;
        let address = server
            .addresses
            .first()
            .copied()
            .context("the server listens nowhere")?;
        let base = reachable(address);
        println!(
            "{}",
            told(&base, &reachable(crm.addr), &reachable(bots.addr), &word) + &more(&base, &others)
        );
        let hour = Hour {
            clients,
            ..Hour::demo(
                scene::extensions(),
                scene::lines(),
                options.calls_per_minute,
            )
        };
        let target = Target {
            url: base,
            token: SecretString::from(scene::TOKEN),
            again: 3,
        };
        tokio::select! {
            () = busy_hour::run(Player::default(), target, hour, 1.0, MOST) => {}
            signal = startup::wait_for_signal() => drop(signal?),
        }
        println!("stopping");
        server.stop().await?;
        crm.stop().await;
        bots.stop().await;
        for one in others {
            one.stop().await;
        }
        anyhow::Ok(())
    })
}

/// This port if it is free, else any.
fn free(bind: IpAddr, port: u16) -> anyhow::Result<SocketAddr> {
    for port in [port, 0] {
        if let Ok(listener) = TcpListener::bind((bind, port)) {
            return Ok(listener.local_addr()?);
        }
    }
    anyhow::bail!("no port of {bind} is free, or it is no address of this machine")
}

/// The address as a browser on this machine reaches it.
fn reachable(address: SocketAddr) -> String {
    let ip = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

fn told(base: &str, crm: &str, telegram: &str, word: &str) -> String {
    let mut text = "\n  Calls are going through Patchbay.\n\n".to_owned();
    for (what, address, words) in [
        (
            "Live page",
            format!("{base}/live"),
            format!("log in as {LOGIN}, password {word}"),
        ),
        (
            "RetailCRM",
            format!("{crm}/"),
            "what its users see: cards and history".to_owned(),
        ),
        (
            "Telegram",
            format!("{telegram}/"),
            "what the chats see: one message per call".to_owned(),
        ),
    ] {
        text.push_str(&format!("    {what:<11} {address:<28}  {words}\n"));
    }
    text
}

/// What else may be connected, and how it all ends.
fn more(base: &str, others: &[crms::Stand]) -> String {
    let mut text = format!(
        "\n  To connect by hand, at {base}{}:\n\n",
        scene::INTEGRATIONS
    );
    for one in others {
        let crms::Stand {
            title,
            address,
            opened_by,
            ..
        } = one;
        text.push_str(&format!("    {title:<11} {address:<28}  {opened_by}\n"));
    }
    text.push_str("\n  Ctrl-C ends it and leaves nothing behind.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_no_obstacle() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = taken.local_addr().expect("its number").port();
        let found = free(IpAddr::V4(Ipv4Addr::LOCALHOST), port).expect("another");
        assert_ne!(found.port(), port);
    }

    #[test]
    fn the_addresses_told_can_be_opened() {
        assert_eq!(
            reachable("0.0.0.0:8000".parse().expect("an address")),
            "http://127.0.0.1:8000"
        );
        insta::assert_snapshot!(told(
            "http://127.0.0.1:8000",
            "http://127.0.0.1:9101",
            "http://127.0.0.1:9102",
            "word"
        ));
    }
}
