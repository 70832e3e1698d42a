//! Whether an address that somebody gave may be called, and what calls it. The one place that decides this for webhooks and chats.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use connect::{HttpTransport, HttpWaits, Transport};
use url::{Host, Url};

use crate::config::Config;

/// Largest answer taken in; only its beginning is kept.
const LARGEST_ANSWER: usize = 256 * 1024;

/// The address, if it may be called: https, with a host of the public network and without user or password in it. Where the operator
/// permits stand-ins, http and this machine's and private addresses too.
///
/// # Errors
/// What is wrong with it, and what to give.
pub fn allowed(address: &str, stand_ins: bool) -> Result<Url, String> {
    let url = Url::parse(address.trim()).map_err(|error| format!("it is not an address: {error}"))?;
    match url.scheme() {
        "https" => {}
        "http" if stand_ins => {}
        other => return Err(format!("it must begin with https://, not {other}://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("give it without user and password".to_owned());
    }
    if stand_ins {
        return Ok(url);
    }
    let public = match url.host() {
        None => false,
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name.contains('.') && ![".localhost", ".local", ".internal"].iter().any(|end| name.ends_with(end))
        }
        Some(Host::Ipv4(ip)) => is_public(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_public(IpAddr::V6(ip)),
    };
    if public {
        Ok(url)
    } else {
        Err("its host is not one of the public network; the operator can permit such hosts".to_owned())
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let shared = first == 100 && (64..128).contains(&second);
            let benchmark = first == 198 && (18..20).contains(&second);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || shared
                || benchmark
                || first == 0
                || first >= 240)
        }
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            if let Some(inner) = ip.to_ipv4_mapped() {
                return is_public(IpAddr::V4(inner));
            }
            let embeds = match (first, second) {
                // NAT64 and 6to4 lead to IPv4 addresses.
                (0x64, 0xff9b) => true,
                (0x2002, _) => true,
                _ => false,
            };
            !embeds
                && first & 0xe000 == 0x2000
                && !(first == 0x2001 && second == 0xdb8)
                && ip != Ipv4Addr::LOCALHOST.to_ipv6_mapped()
        }
    }
}

/// What calls allowed addresses: no redirect, no proxy, no retry, and an end to waiting.
///
/// # Errors
/// When the machine's trust store cannot be read.
pub fn transport(config: &Config) -> Result<Arc<dyn Transport>, String> {
    // Long enough for a slow receiver whatever the other waits are divided by.
    let total = (Duration::from_secs(20) / config.waits.factor.max(1)).max(Duration::from_secs(5));
    let waits = HttpWaits { connect: Duration::from_secs(5), total, largest_answer: LARGEST_ANSWER };
    let transport = HttpTransport::new(waits).map_err(|error| error.to_string())?;
    Ok(Arc::new(transport))
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn only_the_public_network_over_https() {
        for good in ["https://hooks.example.com/a?b=c", "https://93.184.216.34/", "https://[2606:2800:220:1::1]:8443/"]
        {
            assert!(allowed(good, false).is_ok(), "{good}");
        }
        for bad in [
            "http://hooks.example.com/",
            "ftp://hooks.example.com/",
            "https://user@hooks.example.com/",
            "https://user:word@hooks.example.com/",
            "https://localhost/",
            "https://hub/",
            "https://db.internal./",
            "https://printer.local/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://10.1.2.3/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://224.0.0.1/",
            "https://[::1]/",
            "https://[::]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::a00:1]/",
            "https://[2002:a00:1::]/",
            "hooks.example.com",
            "",
        ] {
            assert!(allowed(bad, false).is_err(), "{bad}");
        }
        assert!(allowed("http://127.0.0.1:9/x", true).is_ok());
        assert!(allowed("file:///etc/passwd", true).is_err());
        assert!(allowed("http://a:b@127.0.0.1/", true).is_err());
    }
}
