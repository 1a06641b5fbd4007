//! Where webhooks may be sent: an address that was checked when it was given, and again when it is called.
//!
//! The server calls from inside a network, so an address must not lead to what only this machine may reach: its own
//! services and those that clouds keep at link-local addresses.

use std::net::IpAddr;

use super::deliver::WebhookOptions;

/// Longest address.
const MOST_BYTES: usize = 2_048;

/// A checked address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: String,
    /// Host and port, as the address names them.
    host: String,
}

impl Target {
    /// Checks an address.
    ///
    /// # Errors
    ///
    /// In words that go behind the address.
    pub fn parse(url: &str, options: &WebhookOptions) -> Result<Self, String> {
        if url.len() > MOST_BYTES {
            return Err(format!("is longer than {MOST_BYTES} bytes"));
        }
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        if !url.bytes().all(is_plain) {
            return Err("is no address: write other characters percent-encoded".to_owned());
        }
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"))
            .ok_or("is neither an `https://` nor an `http://` address")?;
        if rest.contains('#') {
            return Err("has a part behind `#`, which is never sent; leave it out".to_owned());
        }
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err("holds a user name; what is sent is signed instead".to_owned());
        }
        let (host, port) = split_port(authority)?;
        if port.is_some_and(|port| port == 0) {
            return Err("has port 0".to_owned());
        }
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            allowed_address(address, options)?;
        } else if !is_name(host) {
            return Err(format!("has `{host}` where a host should be"));
        } else if host.eq_ignore_ascii_case("localhost") && !options.allow_loopback {
            return Err(LOOPBACK.to_owned());
        }
        let allowed = &options.allowed_hosts;
        if !allowed.is_empty() && !allowed.iter().any(|pattern| fits(pattern, host)) {
            return Err(format!(
                "leads to `{host}`, which is not among `webhooks.allowed_hosts`"
            ));
        }
        Ok(Self {
            url: url.to_owned(),
            host: host.to_owned(),
        })
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Its host.
    pub fn host(&self) -> &str {
        &self.host
    }
}

const LOOPBACK: &str =
    "leads to this machine itself, which `webhooks.allow_loopback` does not allow";

/// Whether an address that a host stands for may be called.
pub(super) fn allowed_address(address: IpAddr, options: &WebhookOptions) -> Result<(), String> {
    let address = address.to_canonical();
    if address.is_loopback() {
        return if options.allow_loopback {
            Ok(())
        } else {
            Err(LOOPBACK.to_owned())
        };
    }
    let is_special = match address {
        IpAddr::V4(four) => {
            four.is_link_local()
                || four.is_unspecified()
                || four.is_broadcast()
                || four.is_multicast()
                || four.octets().first() == Some(&0)
        }
        IpAddr::V6(six) => {
            six.is_unicast_link_local() || six.is_unspecified() || six.is_multicast()
        }
    };
    if is_special {
        return Err(format!(
            "leads to `{address}`, which is no address of another machine"
        ));
    }
    Ok(())
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), String> {
    let wrong = || format!("has `{authority}` where a host should be");
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let end = rest.find(']').ok_or_else(wrong)?;
            let (host, port) = authority.split_at(end + 2);
            (host, port)
        }
        None => match authority.find(':') {
            Some(at) => authority.split_at(at),
            None => (authority, ""),
        },
    };
    if host.is_empty() {
        return Err("names no host".to_owned());
    }
    if port.is_empty() {
        return Ok((host, None));
    }
    let port = port.strip_prefix(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    Ok((host, Some(port)))
}

/// A host name: labels of letters, digits and hyphens. One of digits alone could be an address in a form of old.
fn is_name(host: &str) -> bool {
    host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
        && host
            .split('.')
            .next_back()
            .is_some_and(|last| last.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Whether a host is one of a pattern: a name, or `*.` and the end of names.
fn fits(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_ascii_lowercase(), host.to_ascii_lowercase());
    match pattern.strip_prefix('*') {
        Some(end) => host.ends_with(end) && host.len() > end.len(),
        None => host == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(allow_loopback: bool, hosts: &[&str]) -> WebhookOptions {
        WebhookOptions {
            allow_loopback,
            allowed_hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            ..WebhookOptions::default()
        }
    }

    #[test]
    fn only_addresses_of_other_machines_are_targets() {
        let open = options(false, &[]);
        for good in [
            "https://draw.example.gov.cn/hooks?a=b",
            "http://10.1.2.3:8080/",
            "https://[2001:db8::1]:443/x",
        ] {
            assert!(Target::parse(good, &open).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ftp://a.example/",
            "draw.example/hooks",
            "http://",
            "http:///x",
            "http://user:word@a.example/",
            "http://a.example/#x",
            "http://a.example:0/",
            "http://a.example:99999/",
            "http://a.example/\r\nx: y",
            "http://a b.example/",
            "http://localhost/",
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://0.0.0.0/",
            "http://169.254.169.254/latest/meta-data",
            "http://[fe80::1]/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://-a.example/",
            "http://企业.example/",
        ] {
            assert!(Target::parse(bad, &open).is_err(), "{bad}");
        }
        let long = format!("http://a.example/{}", "x".repeat(MOST_BYTES));
        assert!(Target::parse(&long, &open).is_err());
    }

    #[test]
    fn the_operator_says_which_hosts() {
        let some = options(true, &["*.gov.cn", "localhost"]);
        assert!(Target::parse("https://Draw.GOV.cn/", &some).is_ok());
        assert!(Target::parse("http://localhost:1/", &some).is_ok());
        for bad in [
            "https://gov.cn/",
            "https://evilgov.cn/",
            "https://a.example/",
            "http://127.0.0.1/",
        ] {
            assert!(Target::parse(bad, &some).is_err(), "{bad}");
        }
    }
}
