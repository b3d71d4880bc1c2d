// SPDX-License-Identifier: GPL-2.0

//! Ends of connections: `[ipv4:|ipv6:]ADDRESS[:PORT]`.

use std::net::{
    Ipv4Addr,
    Ipv6Addr,
    SocketAddr,
    ToSocketAddrs, //
};
use tandem_engine::control::NetAddress;

/// Port when none is given.
const DEFAULT_PORT: u16 = 7788;

/// Address families that can be written in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// Reads one end of a connection.
pub(crate) fn parse_endpoint(text: &str) -> Result<NetAddress, String> {
    let (family, rest) = split_family(text)?;
    let (host, port) = split_port(family, rest)?;
    let found = (host, port)
        .to_socket_addrs()
        .map_err(|error| format!("'{host}' is no address: {error}"))?
        .find(|address| address.is_ipv4() == (family == Family::V4))
        .ok_or_else(|| format!("'{host}' has no address of this family"))?;
    Ok(match found {
        SocketAddr::V4(v4) => NetAddress::V4 {
            addr: v4.ip().octets(),
            port: v4.port(),
        },
        SocketAddr::V6(v6) => NetAddress::V6 {
            addr: v6.ip().octets(),
            port: v6.port(),
            flowinfo: v6.flowinfo(),
            scope_id: v6.scope_id(),
        },
    })
}

fn split_family(text: &str) -> Result<(Family, &str), String> {
    if text.starts_with('[') {
        return Ok((Family::V6, text));
    }
    match text.split_once(':') {
        Some(("ipv4", rest)) => Ok((Family::V4, rest)),
        Some(("ipv6", rest)) => Ok((Family::V6, rest)),
        Some((family @ ("sdp" | "ssocks"), _)) => Err(format!(
            "the kernel has no address family '{family}' any more"
        )),
        _ => Ok((Family::V4, text)),
    }
}

fn split_port(family: Family, text: &str) -> Result<(&str, u16), String> {
    let (host, port) = match family {
        Family::V4 => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
        Family::V6 => match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest
                    .split_once(']')
                    .ok_or("an IPv6 address that begins with '[' must end with ']'")?;
                let port = match after {
                    "" => None,
                    after => Some(
                        after
                            .strip_prefix(':')
                            .ok_or("expected ':PORT' after ']'")?,
                    ),
                };
                (host, port)
            }
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err("the address is missing".into());
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| format!("'{port}' is no port; ports go from 1 to 65535"))?,
    };
    Ok((host, port))
}

/// An address as `show` prints it: `ipv4 10.0.0.1:7788` or `ipv6 [::1]:7788`.
pub(crate) fn show_address(address: NetAddress) -> String {
    let (family, end) = parts(address);
    format!("{family} {end}")
}

/// An address as `events2` prints it: `ipv4:10.0.0.1:7788`.
pub(crate) fn show_endpoint(address: NetAddress) -> String {
    let (family, end) = parts(address);
    format!("{family}:{end}")
}

fn parts(address: NetAddress) -> (&'static str, String) {
    match address {
        NetAddress::V4 { addr, port } => ("ipv4", format!("{}:{port}", Ipv4Addr::from(addr))),
        NetAddress::V6 {
            addr,
            port,
            scope_id,
            ..
        } => {
            let addr = Ipv6Addr::from(addr);
            let end = match scope_id {
                0 => format!("[{addr}]:{port}"),
                scope => format!("[{addr}%{scope}]:{port}"),
            };
            ("ipv6", end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(port: u16) -> Result<NetAddress, String> {
        Ok(NetAddress::V4 {
            addr: [10, 99, 0, 1],
            port,
        })
    }

    #[test]
    fn ipv4_with_and_without_family_and_port() {
        assert_eq!(parse_endpoint("ipv4:10.99.0.1:7789"), v4(7789));
        assert_eq!(parse_endpoint("10.99.0.1:7789"), v4(7789));
        assert_eq!(parse_endpoint("10.99.0.1"), v4(7788));
    }

    #[test]
    fn ipv6_with_and_without_port() {
        let shown = |text| parse_endpoint(text).map(show_endpoint);
        assert_eq!(
            shown("ipv6:[fd00::1]:7789"),
            Ok("ipv6:[fd00::1]:7789".into())
        );
        assert_eq!(shown("[fd00::1]:7789"), Ok("ipv6:[fd00::1]:7789".into()));
        assert_eq!(shown("ipv6:fd00::1"), Ok("ipv6:[fd00::1]:7788".into()));
        assert_eq!(
            parse_endpoint("ipv6:[::1]:1").map(show_address),
            Ok("ipv6 [::1]:1".into())
        );
    }

    #[test]
    fn bad_ends_say_what_is_wrong() {
        let error = |text: &str| parse_endpoint(text).unwrap_err();
        assert!(error("10.99.0.1:0").contains("1 to 65535"));
        assert!(error("10.99.0.1:70000").contains("1 to 65535"));
        assert!(error("10.99.0.1:x").contains("no port"));
        assert!(error("ipv6:[::1:7789").contains("']'"));
        assert!(error("sdp:10.0.0.1:1").contains("sdp"));
        assert!(error(":7789").contains("missing"));
        assert!(error("ipv6:10.99.0.1").contains("no address"));
    }
}
