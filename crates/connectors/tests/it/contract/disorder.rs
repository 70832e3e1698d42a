//! A line on which lists come twice and out of order: where no order is promised, or where nobody keeps it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use connect::{HttpRequest, HttpResponse, Transport, TransportError};
use serde_json::Value;

/// The lists that are put out of order: how an address that is read ends, or a part of what is asked in a body.
type Marks = &'static [&'static str];

/// A transport that puts lists out of order once it is told to.
pub struct Disorder {
    inner: Arc<dyn Transport>,
    marks: Marks,
    on: AtomicBool,
    met: AtomicBool,
}

impl Disorder {
    /// Over another one, with the lists that it is about.
    pub fn over(inner: Arc<dyn Transport>, marks: Marks) -> Arc<Self> {
        Arc::new(Self { inner, marks, on: AtomicBool::new(false), met: AtomicBool::new(false) })
    }

    /// From here on.
    pub fn begin(&self) {
        self.on.store(true, Ordering::SeqCst);
    }

    fn is_about(&self, request: &HttpRequest) -> bool {
        let body = String::from_utf8_lossy(request.body.as_deref().unwrap_or_default());
        self.marks.iter().any(|mark| match request.method {
            "GET" => request.url.path().ends_with(mark),
            _ => body.contains(mark),
        })
    }
}

#[async_trait]
impl Transport for Disorder {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let about = self.on.load(Ordering::SeqCst) && self.is_about(&request);
        let mut response = self.inner.send(request).await?;
        if about && let Ok(mut answer) = serde_json::from_slice::<Value>(&response.body) {
            if disorder(&mut answer) {
                self.met.store(true, Ordering::SeqCst);
            }
            response.body = answer.to_string().into();
        }
        Ok(response)
    }
}

/// The rows of the first list, the last first, and after them each once more. Whether there was anything to put out of order.
fn disorder(answer: &mut Value) -> bool {
    match answer {
        Value::Array(rows) => {
            let again = rows.clone();
            rows.reverse();
            rows.extend(again);
            rows.len() > 2
        }
        Value::Object(parts) => parts.values_mut().fold(false, |met, part| disorder(part) | met),
        _ => false,
    }
}

/// A mark that no request bears any more would prove nothing.
impl Drop for Disorder {
    fn drop(&mut self) {
        let idle = self.on.load(Ordering::SeqCst) && !self.met.load(Ordering::SeqCst);
        assert!(!idle || std::thread::panicking(), "nothing was read out of order: {:?}", self.marks);
    }
}
