//! The time that one change has, on the monotonic clock: what has not left by its end does not leave, and an answer that has not
//! come by then is none. What the journal counts from arming must have ended when it looks for what a lost answer left behind.

use std::{future::Future, time::Duration};

use connect::{Clock, ConnectorError, HttpRequest, HttpResponse, Transport, TransportError};

/// One change, until its time is over.
pub(crate) struct Turn<'a> {
    clock: &'a dyn Clock,
    until: Duration,
}

/// How a change ended without an answer.
pub(crate) enum Ended {
    /// Nothing left.
    NotSent(ConnectorError),
    /// It may have happened.
    Unknown(String),
}

impl<'a> Turn<'a> {
    /// Until then.
    pub(crate) fn new(clock: &'a dyn Clock, until: Duration) -> Self {
        Self { clock, until }
    }

    fn left(&self) -> Duration {
        self.until.saturating_sub(self.clock.monotonic())
    }

    /// Waits for what a change needs before it can be sent (a token, a call of the budget), for half of the time that is left: the
    /// other half is the call's own.
    ///
    /// # Errors
    /// What it failed of, or that its time was over: nothing was sent.
    pub(crate) async fn ready<T>(
        &self,
        ready: impl Future<Output = Result<T, ConnectorError>>,
    ) -> Result<T, ConnectorError> {
        let too_late = || {
            ConnectorError::transient(
                "the call budget had no place for this change in time; it was not sent and is tried again",
            )
        };
        let ready = tokio::select! {
            biased;
            ready = ready => ready?,
            () = self.clock.sleep(self.left() / 2) => return Err(too_late()),
        };
        // A process that was held up here for long (a suspended machine) has lost its turn.
        if self.left().is_zero() { Err(too_late()) } else { Ok(ready) }
    }

    /// Waits for the answer to what is being sent.
    pub(crate) async fn answer(
        &self,
        sending: impl Future<Output = Result<HttpResponse, TransportError>>,
    ) -> Result<HttpResponse, TransportError> {
        tokio::select! {
            biased;
            answer = sending => answer,
            () = self.clock.sleep(self.left()) => Err(TransportError::Unknown("no answer within the time limit".to_owned())),
        }
    }

    /// Sends a change, once.
    pub(crate) async fn send(&self, transport: &dyn Transport, request: HttpRequest) -> Result<HttpResponse, Ended> {
        self.answer(transport.send(request)).await.map_err(|error| match error {
            TransportError::NotSent(why) => Ended::NotSent(ConnectorError::transient(why)),
            TransportError::Unknown(why) => Ended::Unknown(why),
        })
    }

    /// Looks up what became of it, in the time that is left.
    ///
    /// # Errors
    /// What the look failed of, or that there was no time for it.
    pub(crate) async fn look<T>(
        &self,
        look: impl Future<Output = Result<T, ConnectorError>>,
    ) -> Result<T, ConnectorError> {
        tokio::select! {
            biased;
            looked = look => looked,
            () = self.clock.sleep(self.left()) => Err(ConnectorError::transient("it was not looked up in time")),
        }
    }
}
