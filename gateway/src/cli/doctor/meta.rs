//! Meta: is Graph where the configuration says, and reachable?

use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::Finding;
use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn look(config: &Config, online: bool) -> Vec<Finding> {
    let mut findings = vec![base_url(&config.graph.base_url)];
    if online {
        findings.push(reachable(&config.graph.base_url).await);
    }
    findings
}

/// Tokens travel to it: anything but HTTPS is for the simulator on this machine.
fn base_url(url: &str) -> Finding {
    const WHAT: &str = "graph.base_url";
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    if url.starts_with("https://") {
        Finding::good(WHAT, url)
    } else if local.iter().any(|start| url.starts_with(start)) {
        Finding::doubtful(WHAT, format!("{url}: not Meta; right for the simulator"))
    } else {
        Finding::bad(
            WHAT,
            format!("{url}: access tokens would travel unencrypted"),
        )
    }
}

/// A connection is enough to know; no token is needed or sent.
async fn reachable(url: &str) -> Finding {
    const WHAT: &str = "graph";
    let parsed: Option<http::Uri> = url.parse().ok();
    let Some((host, uri)) = parsed.as_ref().and_then(|uri| Some((uri.host()?, uri))) else {
        return Finding::bad(WHAT, "graph.base_url names no host");
    };
    let port = uri
        .port_u16()
        .unwrap_or(if url.starts_with("https:") { 443 } else { 80 });
    let connect = async {
        let mut addresses = lookup_host((host.trim_matches(['[', ']']), port)).await?;
        let address = addresses.next().ok_or(std::io::ErrorKind::NotFound)?;
        TcpStream::connect(address).await
    };
    match timeout(PATIENCE, connect).await {
        Ok(Ok(_)) => Finding::good(WHAT, format!("{host}:{port} answers")),
        Ok(Err(error)) => Finding::failed(WHAT, error),
        Err(_) => Finding::bad(WHAT, format!("{host}:{port} does not answer within 5 s")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;

    #[test]
    fn tokens_may_travel_unencrypted_on_this_machine_only() {
        assert_eq!(base_url("https://graph.facebook.com").health, Health::Good);
        assert_eq!(base_url("http://127.0.0.1:9000").health, Health::Doubtful);
        assert_eq!(base_url("http://graph.example").health, Health::Bad);
    }
}
