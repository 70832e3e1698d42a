//! Whether an address that somebody gave may be called, and what calls it. The one place that decides this for webhooks and chats.

use std::{sync::Arc, time::Duration};

use connect::{Guard, HttpTransport, HttpWaits, Transport};
use url::{Host, Url};

use crate::config::Config;

/// Largest answer taken in; only its beginning is kept.
const LARGEST_ANSWER: usize = 256 * 1024;

/// The address, if it may be called, as far as that shows before it is dialled: the guard judges once more what its name leads to.
///
/// # Errors
/// What is wrong with it, and what to give.
pub fn allowed(address: &str, guard: &Guard) -> Result<Url, String> {
    let url = Url::parse(address.trim()).map_err(|error| format!("it is not an address: {error}"))?;
    guard.permits_url(&url).map_err(|refused| refused.to_string())?;
    if url.scheme() != "https" && !guard.opens_inside() {
        return Err(format!("it must begin with https://, not {}://", url.scheme()));
    }
    if let Some(Host::Domain(name)) = url.host() {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let inside = !name.contains('.') || [".localhost", ".local", ".internal"].iter().any(|end| name.ends_with(end));
        if inside && !guard.opens_inside() {
            return Err("its host is not one of the public network; the operator can permit such hosts".to_owned());
        }
    }
    Ok(url)
}

/// What calls allowed addresses: no redirect, no proxy, no retry, and an end to waiting.
///
/// # Errors
/// When the machine's trust store cannot be read.
pub fn transport(config: &Config) -> Result<Arc<dyn Transport>, String> {
    // Long enough for a slow receiver whatever the other waits are divided by.
    let total = (Duration::from_secs(20) / config.waits.factor.max(1)).max(Duration::from_secs(5));
    let waits = HttpWaits { connect: Duration::from_secs(5), total, largest_answer: LARGEST_ANSWER };
    let transport = HttpTransport::new(waits, config.guard()).map_err(|error| error.to_string())?;
    Ok(Arc::new(transport))
}

#[cfg(test)]
mod tests {
    use connect::Guard;

    use super::allowed;

    #[test]
    fn only_the_public_network_over_https() {
        for good in ["https://hooks.example.com/a?b=c", "https://93.184.216.34/", "https://[2606:2800:220:1::1]:8443/"]
        {
            assert!(allowed(good, &Guard::new(&[], &[], false)).is_ok(), "{good}");
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
            assert!(allowed(bad, &Guard::new(&[], &[], false)).is_err(), "{bad}");
        }
        let lenient = Guard::stand_ins();
        assert!(allowed("http://127.0.0.1:9/x", &lenient).is_ok());
        assert!(allowed("file:///etc/passwd", &lenient).is_err());
        assert!(allowed("http://a:b@127.0.0.1/", &lenient).is_err());
    }
}
