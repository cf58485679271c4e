//! Which addresses a request may go to when anybody may write its URL: public ones, and the networks that the operator
//! allows. Asked by `guard.rs` for every address before a connection and for the one that was connected to. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A network as operators write it: "10.1.0.0/16", "fd00::/8", or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    /// Leading bits that count.
    bits: u32,
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network, such as 10.1.0.0/16")]
pub struct NotANetwork(String);

impl Network {
    const fn v4(a: u8, b: u8, c: u8, bits: u32) -> Network {
        Network {
            address: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)),
            bits,
        }
    }

    const fn v6(a: u16, b: u16, bits: u32) -> Network {
        Network {
            address: IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0)),
            bits,
        }
    }

    /// Whether the address lies in it.
    pub fn holds(&self, address: IpAddr) -> bool {
        // A shift by the whole width is what "no bit counts" needs, and what Rust calls an overflow.
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(one)) => (net.to_bits() ^ one.to_bits())
                .checked_shr(32 - self.bits)
                .is_none_or(|rest| rest == 0),
            (IpAddr::V6(net), IpAddr::V6(one)) => (net.to_bits() ^ one.to_bits())
                .checked_shr(128 - self.bits)
                .is_none_or(|rest| rest == 0),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || NotANetwork(text.to_owned());
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| fault())?)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| fault())?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(widest);
        if bits > widest {
            return Err(fault());
        }
        Ok(Network { address, bits })
    }
}

impl TryFrom<String> for Network {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        format!("{}/{}", network.address, network.bits)
    }
}

/// IPv4 networks that are not the internet's: the registry of special addresses (RFC 6890 and what came after it).
const SPECIAL: [Network; 15] = [
    Network::v4(0, 0, 0, 8),
    Network::v4(10, 0, 0, 8),
    Network::v4(100, 64, 0, 10),
    Network::v4(127, 0, 0, 8),
    Network::v4(169, 254, 0, 16),
    Network::v4(172, 16, 0, 12),
    Network::v4(192, 0, 0, 24),
    Network::v4(192, 0, 2, 24),
    Network::v4(192, 88, 99, 24),
    Network::v4(192, 168, 0, 16),
    Network::v4(198, 18, 0, 15),
    Network::v4(198, 51, 100, 24),
    Network::v4(203, 0, 113, 24),
    Network::v4(224, 0, 0, 4),
    Network::v4(240, 0, 0, 4),
];
/// All of the IPv6 internet …
const GLOBAL: Network = Network::v6(0x2000, 0, 3);
/// … but for protocols' own addresses, examples, and 6to4, which carries an IPv4 address inside.
const BUT_FOR: [Network; 4] = [
    Network::v6(0x2001, 0, 23),
    Network::v6(0x2001, 0xdb8, 32),
    Network::v6(0x2002, 0, 16),
    Network::v6(0x3fff, 0, 20),
];

/// Whether a request may go there.
pub fn may_reach(address: IpAddr, allowed: &[Network]) -> bool {
    // An IPv4 address dressed as IPv6 is judged as what it is.
    let address = address.to_canonical();
    let public = match address {
        IpAddr::V4(_) => !SPECIAL.iter().any(|network| network.holds(address)),
        IpAddr::V6(_) => {
            GLOBAL.holds(address) && !BUT_FOR.iter().any(|network| network.holds(address))
        }
    };
    public || allowed.iter().any(|network| network.holds(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_internets_addresses_may_be_reached() {
        for (address, public) in [
            ("8.8.8.8", true),
            ("93.184.216.34", true),
            ("172.15.255.255", true),
            ("172.32.0.1", true),
            ("2606:4700::1111", true),
            ("0.0.0.0", false),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("127.255.255.254", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.168.1.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.1.2.3", false),
            ("::127.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("2002:7f00:1::", false),
            ("fc00::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(
                may_reach(address.parse().unwrap(), &[]),
                public,
                "{address}"
            );
        }
    }

    #[test]
    fn an_operator_allows_networks_by_name() {
        let allowed: Vec<Network> = ["10.1.0.0/16", "127.0.0.1", "fd00::/8"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        for (address, may) in [
            ("10.1.255.1", true),
            ("10.2.0.1", false),
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("127.0.0.2", false),
            ("fdff::1", true),
            ("fc00::1", false),
        ] {
            assert_eq!(
                may_reach(address.parse().unwrap(), &allowed),
                may,
                "{address}"
            );
        }
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.holds("192.168.0.1".parse().unwrap()));
        for bad in ["10.0.0.0/33", "10.0.0/8", "localhost", "", "::1/129"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
