//! What changes, live.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse as _, Response,
        sse::{Event as Line, KeepAlive, Sse},
    },
};
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::broadcast::{self, error::RecvError};
use utoipa::IntoParams;

use super::{
    Api,
    auth::{self, Token},
    extract::Asked,
    listeners::Listening,
    tail::{LOOK, SLICE},
};
use crate::{
    db::{Access, Event},
    operate::{Caller, EventOut, Failure},
};

/// So often it is asked whether a listener may still listen.
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
pub struct FollowQuery {
    /// After the event with this id. `Last-Event-ID` goes before it; without either, from now on. An id that is not there for the caller
    /// is taken for one that is kept no longer, and begins with the oldest event there is; so does `0`.
    pub after: Option<String>,
}

/// Live changes
///
/// Server-sent events, each with the id of the event as `id`; a client that comes back with `Last-Event-ID` misses none.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "follow_events",
    tag = "events",
    params(FollowQuery, ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event that was seen.")),
    responses((status = 200, description = "A stream of events", content_type = "text/event-stream", body = EventOut))
)]
pub(super) async fn follow_events(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    token: Option<Extension<Token>>,
    headers: HeaderMap,
    Asked(query): Asked<FollowQuery>,
) -> Result<Response, Failure> {
    let listening = api.listeners.admit(&caller.tenant)?;
    let seen = headers.get("last-event-id").map(|value| value.to_str().unwrap_or("not an id").to_owned());
    let seen = seen.filter(|id| !id.is_empty()).or(query.after);
    let access = caller.access();
    let (head, told) = api.tails.listen(&access).await?;
    let after = match seen {
        Some(id) => api.hub.db.event_number(&access, &id).await?,
        None => head,
    };
    let follow = Follow {
        told,
        caught_up: false,
        asked_at: api.hub.seams.clock.now(),
        api,
        access,
        headers,
        token: token.map(|Extension(token)| token),
        after,
        waiting: Vec::new().into_iter(),
        _listening: listening,
    };
    let lines = stream::unfold(follow, |mut follow| async move {
        let line = follow.next().await?;
        Some((Ok::<Line, Infallible>(line), follow))
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    let mut response = Sse::new(lines).keep_alive(keep_alive).into_response();
    // Its own word is `no-cache`, which lets others keep it.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

struct Follow {
    api: Arc<Api>,
    access: Access,
    headers: HeaderMap,
    token: Option<Token>,
    /// When it was last asked whether the caller may listen.
    asked_at: Timestamp,
    after: i64,
    waiting: std::vec::IntoIter<Event>,
    /// What comes from now on.
    told: broadcast::Receiver<Event>,
    /// What came before was read from the database.
    caught_up: bool,
    _listening: Listening,
}

impl Follow {
    /// Whether the caller may still listen, and to what: keys and sessions end, and rights change, while a stream is open.
    async fn may_listen(&mut self) -> bool {
        let now = self.api.hub.seams.clock.now();
        if now.duration_since(self.asked_at) < ASK_AGAIN {
            return true;
        }
        self.asked_at = now;
        match auth::still(&self.api, &self.headers, self.token.as_ref()).await {
            Some(caller) => self.listens_to(caller.access()).await,
            None => false,
        }
    }

    /// Goes over to what somebody with this access may see. Whether that went well.
    async fn listens_to(&mut self, access: Access) -> bool {
        if access == self.access {
            return true;
        }
        match self.api.tails.listen(&access).await {
            Ok((_, told)) => {
                (self.told, self.access, self.caught_up) = (told, access, false);
                true
            }
            Err(error) => {
                tracing::warn!("a stream of events ends: {error}");
                false
            }
        }
    }

    /// The next event; `None` when the program stops, or the caller may not listen any more.
    async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(event) = self.waiting.next() {
                self.after = event.number;
                let line = Line::default().id(event.id.as_str()).event(event.what.clone());
                match line.json_data(EventOut::from(event)) {
                    Ok(line) => return Some(line),
                    Err(error) => tracing::error!("an event cannot be written: {error}"),
                }
                continue;
            }
            if !self.may_listen().await {
                return None;
            }
            if !self.caught_up {
                match self.api.hub.db.events_after(&self.access, self.after, SLICE).await {
                    Ok(events) => {
                        self.caught_up = events.is_empty();
                        self.waiting = events.into_iter();
                        continue;
                    }
                    // The client keeps its place; the database may come back.
                    Err(error) => tracing::warn!("events cannot be read: {error}"),
                }
            }
            tokio::select! {
                biased;
                () = self.api.shutdown.cancelled() => return None,
                told = self.told.recv(), if self.caught_up => match told {
                    Ok(event) if event.number > self.after => self.waiting = vec![event].into_iter(),
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => self.caught_up = false,
                    Err(RecvError::Closed) => return None,
                },
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}
