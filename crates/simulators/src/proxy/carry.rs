//! Bytes from one end to the other, until they have all passed or something happens to them.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
};

use super::{Disturbance, Shared, Way};

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Orderly,
    Reset,
}

/// What one direction does.
#[derive(Clone, Copy)]
struct Rule {
    /// Bytes that pass before `then`.
    limit: Option<u64>,
    then: Then,
    /// Bytes at a time, and the pause between them.
    pieces: Option<(usize, Duration)>,
}

#[derive(Clone, Copy)]
enum Then {
    End(End),
    Silence(Duration),
}

const UNDISTURBED: Rule = Rule { limit: None, then: Then::End(End::Orderly), pieces: None };

fn rule(disturbance: Option<Disturbance>, of: Way) -> Rule {
    match disturbance {
        Some(Disturbance::Reset { way, after }) if way == of => {
            Rule { limit: Some(after), then: Then::End(End::Reset), pieces: None }
        }
        Some(Disturbance::End { way, after }) if way == of => {
            Rule { limit: Some(after), then: Then::End(End::Orderly), pieces: None }
        }
        Some(Disturbance::Silence { way, after, hold }) if way == of => {
            Rule { limit: Some(after), then: Then::Silence(hold), pieces: None }
        }
        Some(Disturbance::Drip { way, piece, pause }) if way == of => {
            Rule { pieces: Some((piece.max(1), pause)), ..UNDISTURBED }
        }
        _ => UNDISTURBED,
    }
}

/// Carries both directions; says how the connection ends.
pub(super) async fn carry(
    client: &mut TcpStream,
    server: &mut TcpStream,
    disturbance: Option<Disturbance>,
    shared: &Shared,
) -> End {
    let met = || {
        if let Some(disturbance) = &disturbance {
            shared.met(disturbance.name());
        }
    };
    match disturbance {
        Some(Disturbance::Reset { after: 0, .. }) => {
            met();
            return End::Reset;
        }
        Some(Disturbance::Delay { hold }) => {
            met();
            tokio::time::sleep(hold).await;
        }
        Some(Disturbance::Drip { .. }) => met(),
        _ => {}
    }
    let silent = watch::Sender::new(false);
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let request = pump(from_client, to_server, rule(disturbance, Way::Request), &silent, &met);
    let answer = pump(from_server, to_client, rule(disturbance, Way::Answer), &silent, &met);
    match tokio::try_join!(request, answer) {
        Ok(((), ())) => End::Orderly,
        Err(end) => end,
    }
}

/// One direction. `Ok` when its sender has ended in good order, `Err` when the whole connection ends.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    rule: Rule,
    silent: &watch::Sender<bool>,
    met: &impl Fn(),
) -> Result<(), End> {
    let mut buffer = vec![0_u8; rule.pieces.map_or(16 * 1024, |(piece, _)| piece)];
    let mut passed = 0_u64;
    loop {
        // What cannot be read has been reset by its sender, and so is the other end.
        let read = from.read(&mut buffer).await.map_err(|_| End::Reset)?;
        if *silent.borrow() {
            // The other direction has fallen silent; it also decides when that ends.
            std::future::pending::<()>().await;
        }
        if read == 0 {
            return finish(to.shutdown().await);
        }
        let left = rule.limit.map_or(u64::MAX, |limit| limit.saturating_sub(passed));
        let passes = usize::try_from(left).unwrap_or(usize::MAX).min(read);
        let piece = buffer.get(..passes).unwrap_or_default();
        to.write_all(piece).await.map_err(|_| End::Reset)?;
        passed += u64::try_from(passes).unwrap_or(u64::MAX);
        if rule.limit.is_some_and(|limit| passed >= limit) {
            met();
            match rule.then {
                Then::End(end) => return Err(end),
                Then::Silence(hold) => {
                    silent.send_replace(true);
                    tokio::time::sleep(hold).await;
                    return Err(End::Reset);
                }
            }
        }
        if let Some((_, pause)) = rule.pieces {
            tokio::time::sleep(pause).await;
        }
    }
}

fn finish(shutdown: io::Result<()>) -> Result<(), End> {
    shutdown.map_err(|_| End::Reset)
}
