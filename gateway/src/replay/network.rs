//! No packet leaves: before the first guest of a replay runs, this process gives up making sockets, for good.
//!
//! A guest has no network by construction: nothing of the contract reaches one. This is the second wall, held by the kernel:
//! a filter on every thread of the process answers `socket` and its like with "permission denied". A socket that was open
//! before would be a door in it (`write` sends too, and no filter can know on what): so there must be none.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::RawFd;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompFilter, apply_filter_all_threads, sock_filter,
};

/// Why the process could not be cut off. The replay must not run then.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("the kernel does not take the filter that refuses sockets: {0}")]
    Filter(String),
    #[error("a socket could still be made")]
    StillOpen,
    #[error("a connection is still open, as file {0} of this process")]
    Connection(RawFd),
    #[error("what this process has open cannot be told")]
    Unknown(#[source] io::Error),
}

/// Every thread that there is, and every one to come. What is open stays open: close it before.
pub fn give_up() -> Result<(), NetworkError> {
    apply_filter_all_threads(&filter()?)
        .map_err(|error| NetworkError::Filter(error.to_string()))?;
    // Asked of the kernel, not believed.
    match UdpSocket::bind(("127.0.0.1", 0)) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
        _ => return Err(NetworkError::StillOpen),
    }
    // None can come any more, so none is missed.
    match connections().map_err(NetworkError::Unknown)?.first() {
        None => Ok(()),
        Some(open) => Err(NetworkError::Connection(*open)),
    }
}

/// Sockets of this process behind which somebody else may be. Not those are meant that have both ends here (the runtime wakes
/// itself by such a pair), nor a standard stream that is a local socket, as supervisors make them: that is what a verb is
/// read by.
fn connections() -> io::Result<Vec<RawFd>> {
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        // One that is gone by now was closed, and this folder itself is none.
        let is_socket = std::fs::read_link(entry.path())
            .is_ok_and(|target| target.to_string_lossy().starts_with("socket:"));
        let number = entry.file_name().to_string_lossy().parse();
        if let (true, Ok(number)) = (is_socket, number)
            && !is_harmless(number)
        {
            open.push(number);
        }
    }
    Ok(open)
}

fn is_harmless(socket: RawFd) -> bool {
    let is_local = option::<libc::c_int>(socket, libc::SO_DOMAIN) == Some(libc::AF_UNIX);
    let is_stream = socket <= libc::STDERR_FILENO;
    is_local && (is_stream || is_pair(socket))
}

/// Were both of its ends made here?
fn is_pair(socket: RawFd) -> bool {
    let peer = option::<libc::ucred>(socket, libc::SO_PEERCRED);
    peer.is_some_and(|peer| u32::try_from(peer.pid) == Ok(std::process::id()))
}

fn option<T: Copy>(socket: RawFd, name: libc::c_int) -> Option<T> {
    let mut value = mem::MaybeUninit::<T>::zeroed();
    let mut size = libc::socklen_t::try_from(size_of::<T>()).ok()?;
    // SAFETY: the kernel writes at most `size` bytes, which is how large the value is. A number that is no socket is an error.
    let failed = unsafe {
        libc::getsockopt(
            socket,
            libc::SOL_SOCKET,
            name,
            value.as_mut_ptr().cast(),
            &raw mut size,
        )
    } != 0;
    let whole = !failed && size as usize == size_of::<T>();
    // SAFETY: the kernel has written all of it, and every pattern of bits is one of the two C structures that are asked for.
    whole.then(|| unsafe { value.assume_init() })
}

fn filter() -> Result<BpfProgram, NetworkError> {
    let refused = |error: &dyn std::fmt::Display| NetworkError::Filter(error.to_string());
    let calls = [
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_sendmmsg,
        // It makes sockets and talks through them without any of the above.
        libc::SYS_io_uring_setup,
        // They take somebody else's.
        libc::SYS_pidfd_getfd,
        libc::SYS_ptrace,
    ];
    let rules = BTreeMap::from(calls.map(|call| (call, Vec::new())));
    let architecture = std::env::consts::ARCH
        .try_into()
        .map_err(|error| refused(&error))?;
    // It begins with the architecture: whoever calls the kernel as another one (32 bits) is killed.
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        architecture,
    )
    .map_err(|error| refused(&error))?;
    let filter: BpfProgram = filter.try_into().map_err(|error| refused(&error))?;
    Ok(without_other_numbers().into_iter().chain(filter).collect())
}

/// The same architecture has every call a second time, with a bit in its number and some renumbered (x32): none of them is for
/// us. Where numbers are as they should be, it goes on after these instructions.
#[cfg(target_arch = "x86_64")]
fn without_other_numbers() -> [sock_filter; 3] {
    const X32_BIT: u32 = 0x4000_0000;
    let instruction = |code: u32, (jt, jf): (u8, u8), k: u32| sock_filter {
        code: u16::try_from(code).unwrap_or(u16::MAX),
        jt,
        jf,
        k,
    };
    let load_number = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let at_least = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs();
    [
        instruction(load_number, (0, 0), 0),
        instruction(at_least, (0, 1), X32_BIT),
        instruction(libc::BPF_RET | libc::BPF_K, (0, 0), refuse),
    ]
}

#[cfg(not(target_arch = "x86_64"))]
fn without_other_numbers() -> [sock_filter; 0] {
    []
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    use super::*;

    /// As the kernel is called, whatever the library thinks of it.
    fn call(number: libc::c_long, socket: RawFd) -> io::Result<()> {
        // SAFETY: none of the calls that are made here is given an address to read or to write at.
        let answer = unsafe { libc::syscall(number, libc::c_long::from(socket), 0, 0, 0, 0, 0) };
        match answer {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// On a thread of its own: the others of this process go on making sockets.
    #[test]
    fn no_kind_of_socket_can_be_made_and_none_that_is_open_can_reach_out() {
        let open = TcpListener::bind(("127.0.0.1", 0)).expect("a socket before");
        let at = open.local_addr().expect("an address");
        let udp = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket before");
        let mut connected = TcpStream::connect(at).expect("a connection before");
        let refused = std::thread::spawn(move || {
            seccompiler::apply_filter(&filter().expect("a filter")).expect("it is taken");
            let number = open.as_raw_fd();
            [
                TcpListener::bind(("127.0.0.1", 0)).map(drop),
                TcpStream::connect(at).map(drop),
                UdpSocket::bind(("0.0.0.0", 0)).map(drop),
                UnixDatagram::pair().map(drop),
                UnixStream::connect("/nowhere").map(drop),
                UnixListener::bind("/nowhere").map(drop),
                udp.connect(at),
                udp.send_to(b"a packet", at).map(drop),
                connected.write(b"a packet").map(drop),
                open.accept().map(drop),
                call(libc::SYS_accept, number),
                call(libc::SYS_listen, number),
                call(libc::SYS_sendmsg, number),
                call(libc::SYS_sendmmsg, number),
                call(libc::SYS_io_uring_setup, 1),
            ]
            .map(|made| made.err().and_then(|error| error.raw_os_error()))
        });
        assert_eq!(
            refused.join().expect("it ends"),
            [Some(libc::EPERM); 15],
            "in the order of the list"
        );
        UdpSocket::bind(("127.0.0.1", 0)).expect("other threads still can");
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn no_call_is_let_through_by_its_other_number() {
        const X32_BIT: libc::c_long = 0x4000_0000;
        // There `sendmsg` and `sendmmsg` have numbers of their own.
        let calls = [libc::SYS_socket, libc::SYS_getpid, 518, 538];
        let refused = std::thread::spawn(move || {
            seccompiler::apply_filter(&filter().expect("a filter")).expect("it is taken");
            let refused = |number| call(number | X32_BIT, libc::AF_INET).err()?.raw_os_error();
            (calls.map(refused), call(libc::SYS_getpid, 0).is_ok())
        });
        let (refused, still_runs) = refused.join().expect("it ends");
        assert_eq!(refused, [Some(libc::EPERM); 4]);
        assert!(still_runs);
    }

    #[test]
    fn a_socket_that_was_open_before_is_found_unless_both_its_ends_are_here() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tcp = TcpListener::bind(("127.0.0.1", 0)).expect("a socket");
        let connected = TcpStream::connect(tcp.local_addr().expect("an address"));
        let connected = connected.expect("a connection");
        let udp = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
        let unconnected = UnixDatagram::unbound().expect("a socket");
        let file = std::fs::File::create(folder.path().join("a file")).expect("a file");
        let (one, other) = UnixStream::pair().expect("a pair");
        let found = connections().expect("what is open");
        let open = [
            tcp.as_raw_fd(),
            connected.as_raw_fd(),
            udp.as_raw_fd(),
            unconnected.as_raw_fd(),
        ];
        for number in open {
            assert!(found.contains(&number), "{number} of {found:?}");
        }
        for number in [file.as_raw_fd(), one.as_raw_fd(), other.as_raw_fd()] {
            assert!(!found.contains(&number), "{number} of {found:?}");
        }
    }
}
