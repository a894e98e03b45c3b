//! Where a broker listens: two ports that follow each other, on this machine alone.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::str::FromStr;

/// The port of a broker; its controller has the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port(u16);

/// Where the search for free ports ends: above it systems give ports to outgoing connections, so a broker that is started again
/// could find its own taken, even by a client that keeps trying to reach it.
const SEARCHED_TO: u16 = 32_000;

impl Port {
    /// The port of a broker that nobody gave another one.
    pub(crate) const USUAL: Port = Port(19_092);

    pub(crate) fn broker(self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.0).into()
    }

    pub(super) fn controller(self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.0 + 1).into()
    }

    /// Whether a broker can listen here now.
    pub(super) fn is_free(self) -> bool {
        [self.broker(), self.controller()].into_iter().all(|address| TcpListener::bind(address).is_ok())
    }

    /// The ports after the usual one, in pairs.
    pub(super) fn others() -> impl Iterator<Item = Port> {
        (Port::USUAL.0 + 2..SEARCHED_TO).step_by(2).map(Port)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(port) if (1..u16::MAX).contains(&port) => Ok(Port(port)),
            _ => Err(format!("`{text}` is no port of a broker: give a number from 1 to 65534")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_leaves_room_for_the_controller() {
        assert_eq!("65534".parse::<Port>().unwrap().controller().port(), 65_535);
        for text in ["0", "65535", "x", "-1", ""] {
            assert!(text.parse::<Port>().unwrap_err().contains("65534"), "{text}");
        }
    }

    #[test]
    fn a_port_is_free_when_both_are() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = listener.local_addr().unwrap().port();
        assert!(!Port(taken).is_free());
        assert!(!Port(taken - 1).is_free());
        let other = Port::others().find(|port| port.is_free()).unwrap();
        assert!(other > Port::USUAL && other.0 < SEARCHED_TO);
    }
}
