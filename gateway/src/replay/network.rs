//! No packet leaves: before the first guest of a replay runs, this process gives up making sockets, for good.
//!
//! A guest has no network by construction: nothing of the contract reaches one. This is the second wall, held by the kernel:
//! a filter on every thread of the process answers `socket` and its like with "permission denied".

use std::collections::BTreeMap;
use std::net::UdpSocket;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter_all_threads};

/// Why the process could not be cut off. The replay must not run then.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("the kernel does not take the filter that refuses sockets: {0}")]
    Filter(String),
    #[error("a socket could still be made")]
    StillOpen,
}

/// Every thread that there is, and every one to come. What is open stays open: close it before.
pub fn give_up() -> Result<(), NetworkError> {
    apply_filter_all_threads(&filter()?)
        .map_err(|error| NetworkError::Filter(error.to_string()))?;
    // Asked of the kernel, not believed.
    match UdpSocket::bind(("127.0.0.1", 0)) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(()),
        _ => Err(NetworkError::StillOpen),
    }
}

fn filter() -> Result<BpfProgram, NetworkError> {
    let refused = |error: &dyn std::fmt::Display| NetworkError::Filter(error.to_string());
    let calls = [
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_accept4,
        // It makes sockets and talks through them without any of the above.
        libc::SYS_io_uring_setup,
    ];
    let rules = BTreeMap::from(calls.map(|call| (call, Vec::new())));
    let architecture = std::env::consts::ARCH
        .try_into()
        .map_err(|error| refused(&error))?;
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        architecture,
    )
    .map_err(|error| refused(&error))?;
    filter.try_into().map_err(|error| refused(&error))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    use super::*;

    /// On a thread of its own: the others of this process go on making sockets.
    #[test]
    fn no_kind_of_socket_can_be_made_and_none_that_is_open_can_reach_out() {
        let open = TcpListener::bind(("127.0.0.1", 0)).expect("a socket before");
        let at = open.local_addr().expect("an address");
        let udp = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket before");
        let refused = std::thread::spawn(move || {
            seccompiler::apply_filter(&filter().expect("a filter")).expect("it is taken");
            [
                TcpListener::bind(("127.0.0.1", 0)).map(drop),
                TcpStream::connect(at).map(drop),
                UdpSocket::bind(("0.0.0.0", 0)).map(drop),
                UnixDatagram::pair().map(drop),
                UnixStream::connect("/nowhere").map(drop),
                UnixListener::bind("/nowhere").map(drop),
                udp.connect(at),
            ]
            .map(|made| made.err().and_then(|error| error.raw_os_error()))
        });
        assert_eq!(
            refused.join().expect("it ends"),
            [Some(libc::EPERM); 7],
            "in the order of the list"
        );
        TcpStream::connect(at).expect("other threads still can");
    }
}
