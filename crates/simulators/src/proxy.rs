//! A line that can be disturbed: a TCP proxy between a program and whatever it talks to.
//!
//! The simulators' own [`crate::faults`] play what a vendor does to a *request*, exactly and with or without its effect. This
//! plays what a network does to a *connection*, below any protocol, so that it works for HTTP, SSH and PostgreSQL alike:
//! resets after any number of bytes in either direction, orderly ends in the middle, silence on an open connection, bytes
//! that drip, connections that nobody accepts. Nothing is ever repeated or changed on the way: what arrives is a beginning
//! of what was sent.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use simulators::proxy::{Disturbance, Proxy, Way};
//! let proxy = Proxy::start("127.0.0.1:5432".parse().unwrap(), 7).await?;
//! // The next connection breaks in the middle of what the server answers.
//! proxy.next(Disturbance::Reset { way: Way::Answer, after: 100 });
//! # Ok(())
//! # }
//! ```

mod carry;
#[cfg(test)]
mod tests;
mod weather;

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{SeedableRng as _, rngs::StdRng};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

pub use weather::Weather;

/// A direction on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From whoever connected.
    Request,
    /// To whoever connected.
    Answer,
}

/// What happens to one connection. Bytes are counted from its beginning, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// Both ends see a reset once `after` bytes have passed; 0 is before the first.
    Reset {
        /// Whose bytes are counted.
        way: Way,
        /// How many pass.
        after: u64,
    },
    /// Both ends see an orderly end once `after` bytes have passed, as when a proxy is restarted.
    End {
        /// Whose bytes are counted.
        way: Way,
        /// How many pass.
        after: u64,
    },
    /// Once `after` bytes have passed nothing does any more, in neither direction, and nobody is told. After `hold` the
    /// connection is reset.
    Silence {
        /// Whose bytes are counted.
        way: Way,
        /// How many pass.
        after: u64,
        /// How long the connection stays open.
        hold: Duration,
    },
    /// The first byte waits this long.
    Delay {
        /// How long.
        hold: Duration,
    },
    /// Bytes of this direction pass in small pieces with a pause between them.
    Drip {
        /// Which direction.
        way: Way,
        /// Bytes at a time, at least 1.
        piece: usize,
        /// From one piece to the next.
        pause: Duration,
    },
}

impl Disturbance {
    /// What is counted under.
    fn name(&self) -> &'static str {
        match self {
            Self::Reset { after: 0, .. } => "reset at once",
            Self::Reset { way: Way::Request, .. } => "reset in a request",
            Self::Reset { way: Way::Answer, .. } => "reset in an answer",
            Self::End { way: Way::Request, .. } => "end in a request",
            Self::End { way: Way::Answer, .. } => "end in an answer",
            Self::Silence { way: Way::Request, .. } => "silence in a request",
            Self::Silence { way: Way::Answer, .. } => "silence in an answer",
            Self::Delay { .. } => "delay",
            Self::Drip { .. } => "drip",
        }
    }
}

/// A proxy on a free port of this machine, in front of one address. It ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<SocketAddr>,
    state: Mutex<State>,
    /// Counts how often every connection was cut; a connection ends when it moves.
    cuts: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    dice: StdRng,
    weather: Option<Weather>,
    next: VecDeque<Disturbance>,
    met: BTreeMap<&'static str, u64>,
    connections: u64,
}

impl Shared {
    fn state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // Whoever panicked left counters at worst one short: the proxy stays usable.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn met(&self, name: &'static str) {
        self.state(|state| *state.met.entry(name).or_default() += 1);
    }
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and passes on to `target`. `seed` decides every disturbance of a [`Weather`].
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(target: SocketAddr, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = State {
            dice: StdRng::seed_from_u64(seed),
            weather: None,
            next: VecDeque::new(),
            met: BTreeMap::new(),
            connections: 0,
        };
        let shared =
            Arc::new(Shared { target: Mutex::new(target), state: Mutex::new(state), cuts: watch::Sender::new(0) });
        let listening = Mutex::new(Some(tokio::spawn(listen(listener, Arc::clone(&shared)))));
        Ok(Self { address, shared, listening })
    }

    /// Where to connect instead of the target.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port of [`Proxy::address`].
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Where it passes on to.
    #[must_use]
    pub fn target(&self) -> SocketAddr {
        *self.shared.target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on to another address from the next connection on, as after a fail-over.
    pub fn aim(&self, target: SocketAddr) {
        *self.shared.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// What happens to connections from now on; `None`: nothing. Connections that are open keep theirs.
    pub fn weather(&self, weather: Option<Weather>) {
        self.shared.state(|state| state.weather = weather);
    }

    /// The next connection meets this, whatever the weather; several wait in line.
    pub fn next(&self, disturbance: Disturbance) {
        self.shared.state(|state| state.next.push_back(disturbance));
    }

    /// Resets every connection that is open now.
    pub fn cut(&self) {
        self.shared.met("cut");
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Stops listening: whoever connects is refused, until [`Proxy::open`]. Open connections go on.
    pub async fn shut(&self) {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listening) = listening {
            listening.abort();
            // Aborted is how it ends; afterwards the port is free.
            let _ = listening.await;
            self.shared.met("shut");
        }
    }

    /// Listens again, on the same port.
    ///
    /// # Errors
    /// When somebody else has taken the port meanwhile.
    pub async fn open(&self) -> io::Result<()> {
        if self.listening.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address).await?;
        let task = tokio::spawn(listen(listener, Arc::clone(&self.shared)));
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Ok(())
    }

    /// How often each disturbance took place. One whose byte was never reached did not.
    #[must_use]
    pub fn met(&self) -> BTreeMap<&'static str, u64> {
        self.shared.state(|state| state.met.clone())
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.state(|state| state.connections)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take() {
            listening.abort();
        }
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of handles, most likely: later there are some again.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let disturbance = shared.state(|state| {
            state.connections += 1;
            state.next.pop_front().or_else(|| state.weather.as_ref()?.draw(&mut state.dice))
        });
        tokio::spawn(connection(client, disturbance, Arc::clone(&shared)));
    }
}

/// One connection from its beginning to its end.
async fn connection(mut client: TcpStream, disturbance: Option<Disturbance>, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let target = *shared.target.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(mut server) = TcpStream::connect(target).await else {
        // Nobody is there: the nearest thing to a refusal that is still possible.
        let _ = client.set_zero_linger();
        return;
    };
    // Small messages must not wait for the acknowledgement of the one before.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let end = tokio::select! {
        end = carry::carry(&mut client, &mut server, disturbance, &shared) => end,
        _ = cuts.changed() => carry::End::Reset,
    };
    if end == carry::End::Reset {
        // With no lingering both ends see a reset instead of an orderly end.
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
}
