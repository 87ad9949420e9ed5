//! A wire in memory that breaks as planned.

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio_util::task::TaskTracker;

/// How one connection ends. Lengths are bytes, from the handshake of Twilsock on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wire {
    /// It does not.
    Whole,
    /// It is cut after so many bytes in either direction.
    Cut { to_client: usize, to_server: usize },
    /// Nothing goes through any more after so many bytes in either direction, and nobody is told.
    Silent { to_client: usize, to_server: usize },
    /// The client's end breaks after so many messages that it was sent, before it acts on the last one.
    Messages(usize),
}

/// Some broken connections, and then a whole one.
pub(super) fn plan(random: &mut StdRng) -> Vec<Wire> {
    let mut plan: Vec<Wire> = (0..random.random_range(1..=5)).map(|_| broken(random)).collect();
    // Silence costs three quarters of a minute each: one a session.
    let mut silences = 0;
    plan.retain(|wire| {
        silences += usize::from(matches!(wire, Wire::Silent { .. }));
        !matches!(wire, Wire::Silent { .. }) || silences == 1
    });
    plan
}

fn broken(random: &mut StdRng) -> Wire {
    // Often early: the start is the most delicate part. Else anywhere in a session.
    let most = [600, 6_000, 30_000][random.random_range(0..3)];
    let mut bytes = || random.random_range(0..most);
    let (to_client, to_server) = (bytes(), bytes());
    match random.random_range(0..20) {
        0 => Wire::Silent { to_client, to_server },
        1..=8 => Wire::Messages(random.random_range(1..60)),
        9..=14 => Wire::Cut { to_client, to_server: usize::MAX },
        _ => Wire::Cut { to_client: usize::MAX, to_server },
    }
}

/// Both ends of a wire.
pub(super) fn ends(tasks: &TaskTracker, wire: Wire) -> (DuplexStream, DuplexStream) {
    let (client, near) = duplex(BUFFER);
    let (far, server) = duplex(BUFFER);
    let (near_read, near_write) = split(near);
    let (far_read, far_write) = split(far);
    let (to_client, to_server, is_silent) = match wire {
        Wire::Whole | Wire::Messages(_) => (usize::MAX, usize::MAX, false),
        Wire::Cut { to_client, to_server } => (to_client, to_server, false),
        Wire::Silent { to_client, to_server } => (to_client, to_server, true),
    };
    tasks.spawn(async move {
        let to_server = pump(near_read, far_write, to_server, is_silent);
        let to_client = pump(far_read, near_write, to_client, is_silent);
        // With the first that ends both directions end.
        tokio::select! {
            () = to_server => {}
            () = to_client => {}
        }
    });
    (client, server)
}

async fn pump(mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>, mut left: usize, is_silent: bool) {
    let mut buffer = [0; 1024];
    while left > 0 {
        let room = buffer.len().min(left);
        let Ok(count @ 1..) = from.read(&mut buffer[..room]).await else { return };
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
        left -= count;
    }
    if is_silent {
        std::future::pending::<()>().await;
    }
}

const BUFFER: usize = 64 * 1024;
