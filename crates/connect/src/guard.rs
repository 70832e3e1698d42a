//! Which addresses the hub may dial on somebody's word: security control 9.
//!
//! Tenants type in addresses of warehouses, SFTP servers and webhook receivers. Without a guard they could make the hub knock
//! at what only the hub can reach: its own machine, its network, the cloud's metadata service. Checking a name first and
//! connecting afterwards is no guard, because the name may lead elsewhere the second time. So the name is resolved once, the
//! request is refused if *any* of its addresses is not permitted, and the connection goes to the addresses that were checked.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use async_trait::async_trait;
use url::{Host, Url};

#[cfg(test)]
mod tests;

/// Turns names into addresses.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// Every address of this name.
    ///
    /// # Errors
    /// When the name has none, or nobody could be asked.
    async fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// A range of addresses, as `10.1.0.0/16` or `10.1.2.3` or `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u32,
}

impl Network {
    /// Whether this address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                within(base.to_bits().into(), address.to_bits().into(), 32_u32.saturating_sub(self.bits))
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                within(base.to_bits(), address.to_bits(), 128_u32.saturating_sub(self.bits))
            }
            _ => false,
        }
    }
}

/// Whether both are the same but for the last `rest` bits.
fn within(base: u128, address: u128, rest: u32) -> bool {
    (base ^ address).checked_shr(rest).unwrap_or(0) == 0
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a network: give one such as 10.1.0.0/16, 10.1.2.3 or fd00::/8");
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base = IpAddr::from_str(base.trim()).map_err(|_| wrong())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.trim().parse().ok().filter(|bits| *bits <= most).ok_or_else(wrong)?,
            None => most,
        };
        Ok(Self { base, bits })
    }
}

/// Why an address is not dialled. The text is for whoever typed it in, so it does not tell what a name resolved to: that
/// would show a stranger the inside of the network. The log has the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Neither `https` nor, where permitted, `http`.
    #[error("only https addresses are dialled")]
    Scheme,
    /// A user name or password is part of the address.
    #[error("an address may not hold a user name or password: give them in their own fields")]
    UserInfo,
    /// There is no host.
    #[error("the address names no host")]
    NoHost,
    /// A port that is not on the list.
    #[error("port {0} is not dialled; the operator can permit it with --outbound-ports")]
    Port(u16),
    /// An address that is not public.
    #[error(
        "{0} does not lead to public addresses only; the operator can permit a private network with --private-networks"
    )]
    NotPublic(String),
    /// Without TLS, to an address where that is not permitted.
    #[error(
        "{0} is only dialled with https; plain http is for networks that the operator permits with --private-networks"
    )]
    Plain(String),
    /// The name has no address.
    #[error("{name} was not found: {why}")]
    NotFound {
        /// The name.
        name: String,
        /// What the resolver said.
        why: String,
    },
}

/// How far a request may go, by what it speaks and to which port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// Protected, to a listed port: public addresses, and what is nearer.
    World,
    /// Unprotected, to a listed port: networks that the operator permits, and this machine.
    Listed,
    /// To any other port: stand-ins on this machine.
    Machine,
}

impl Range {
    pub(crate) const ALL: [Self; 3] = [Self::World, Self::Listed, Self::Machine];
}

/// Ports of HTTPS, of HTTP and of SFTP that are dialled unless the operator adds others.
const HTTPS_PORTS: [u16; 2] = [443, 8443];
const HTTP_PORTS: [u16; 1] = [80];
const SFTP_PORTS: [u16; 2] = [22, 2222];

/// Decides which addresses are dialled, and finds them.
#[derive(Clone)]
pub struct Guard {
    networks: Arc<[Network]>,
    ports: Arc<BTreeSet<u16>>,
    stand_ins: bool,
    resolver: Arc<dyn Resolver>,
}

impl Guard {
    /// Public addresses, and beside them: private `networks` (there also plain HTTP), further `ports`, and with `stand_ins`
    /// everything on this machine.
    pub fn new(networks: &[Network], ports: &[u16], stand_ins: bool) -> Self {
        Self {
            networks: networks.into(),
            ports: Arc::new(ports.iter().copied().collect()),
            stand_ins,
            resolver: Arc::new(SystemResolver),
        }
    }

    /// Public addresses, and stand-ins on this machine: for the demo, benches and tests.
    pub fn stand_ins() -> Self {
        Self::new(&[], &[], true)
    }

    /// The same, with names resolved otherwise.
    #[must_use]
    pub fn resolving(self, resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, ..self }
    }

    /// Whether anything beside the public network may be dialled at all.
    pub fn opens_inside(&self) -> bool {
        self.stand_ins || !self.networks.is_empty()
    }

    /// Whether this address may be given: what a name in it resolves to is judged when it is dialled.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn permits_url(&self, url: &Url) -> Result<(), Refused> {
        self.range(url).map(drop)
    }

    /// How far a request to this address may go. A host that is an address itself is judged here, because an HTTP client asks
    /// no resolver for it.
    pub(crate) fn range(&self, url: &Url) -> Result<Range, Refused> {
        let (listed, protected) = match url.scheme() {
            "https" => (&HTTPS_PORTS[..], true),
            "http" => (&HTTP_PORTS[..], false),
            _ => return Err(Refused::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::UserInfo);
        }
        let port = url.port_or_known_default().unwrap_or(0);
        let range = match (listed.contains(&port) || self.ports.contains(&port), protected) {
            (true, true) => Range::World,
            (true, false) => Range::Listed,
            (false, _) if self.stand_ins => Range::Machine,
            (false, _) => return Err(Refused::Port(port)),
        };
        let literal = match url.host() {
            None => return Err(Refused::NoHost),
            Some(Host::Domain("")) => return Err(Refused::NoHost),
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        };
        if let Some(address) = literal
            && !self.permits(range, address)
        {
            return Err(refusal(range, &address.to_string(), port));
        }
        Ok(range)
    }

    /// The checked addresses of an SFTP server. Nothing else may be dialled for it.
    ///
    /// # Errors
    /// When one of its addresses, or the port, is not permitted.
    pub async fn sftp(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Refused> {
        let range = match SFTP_PORTS.contains(&port) || self.ports.contains(&port) {
            true => Range::World,
            false if self.stand_ins => Range::Machine,
            false => return Err(Refused::Port(port)),
        };
        let addresses = self.checked(range, host, port).await?;
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    /// Resolves a name once and refuses it whole if any address is not permitted.
    pub(crate) async fn checked(&self, range: Range, name: &str, port: u16) -> Result<Vec<IpAddr>, Refused> {
        let plain = name.trim_matches(['[', ']']);
        let addresses = match IpAddr::from_str(plain) {
            Ok(address) => vec![address],
            Err(_) => self
                .resolver
                .resolve(name)
                .await
                .map_err(|error| Refused::NotFound { name: name.to_owned(), why: error.to_string() })?,
        };
        if addresses.is_empty() {
            return Err(Refused::NotFound { name: name.to_owned(), why: "it has no address".to_owned() });
        }
        if let Some(address) = addresses.iter().find(|address| !self.permits(range, **address)) {
            tracing::warn!(peer.name = name, peer.address = %address, "not dialled: the address is not permitted");
            return Err(refusal(range, name, port));
        }
        Ok(addresses)
    }

    fn permits(&self, range: Range, address: IpAddr) -> bool {
        let this_machine = self.stand_ins && address.is_loopback();
        let listed = || self.networks.iter().any(|network| network.contains(address));
        match range {
            Range::World => this_machine || listed() || is_public(address),
            Range::Listed => this_machine || listed(),
            Range::Machine => this_machine,
        }
    }
}

fn refusal(range: Range, name: &str, port: u16) -> Refused {
    match range {
        Range::World => Refused::NotPublic(name.to_owned()),
        Range::Listed => Refused::Plain(name.to_owned()),
        Range::Machine => Refused::Port(port),
    }
}

/// Whether an address belongs to the public network: by the registries of special-purpose addresses (RFC 6890 and its
/// updates), and without any address that carries another one inside (6to4, NAT64, Teredo, v4-mapped), because what it leads
/// to is decided elsewhere.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        // Shared by carriers (RFC 6598).
        || (a == 100 && (64..128).contains(&b))
        // Protocol assignments, documentation, the former 6to4 relay, benchmarks.
        || (a == 192 && b == 0 && c == 0)
        || address.is_documentation()
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        // Multicast, reserved, broadcast.
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only 2000::/3 is given out as global unicast; every other special range, and all that is unassigned, is outside it.
    a & 0xe000 == 0x2000
        // 2001::/23 (Teredo, ORCHID, benchmarks) and documentation.
        && !(a == 0x2001 && (b < 0x0200 || b == 0x0db8))
        && !(a == 0x3fff && b < 0x1000)
        // 6to4.
        && a != 0x2002
}
