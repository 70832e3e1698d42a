//! One process of the hub, as it reaches the outside: it can stand still for a while, as a suspended machine does, while
//! everything around it goes on.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use connect::{FileEntry, FileError, FileStore, HttpRequest, HttpResponse, Renamed, Transport, TransportError};
use connect::{FileLocation, FileStores};
use tokio::sync::Notify;

use super::{
    brightpearl::Brightpearl,
    files::ModelFolder,
    rest::{HOST, RestWarehouse},
};

/// Where a process stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// Between two steps of its own.
    Inside,
    /// Behind its last check, before the first byte of a call: what it then sends, it sends late.
    AtTheWire,
}

#[derive(Debug, Default)]
struct State {
    /// Crossings until it stands still.
    stops_in: Option<u64>,
    stands: Option<Stands>,
}

/// Whether a process runs.
#[derive(Debug, Default)]
pub struct Node {
    state: Mutex<State>,
    goes_on: Notify,
}

impl Node {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It will stand still after so many crossings; `None`: it will not.
    pub fn stop_in(&self, crossings: Option<u64>) {
        self.state().stops_in = crossings;
    }

    /// Where it stands still.
    pub fn stands(&self) -> Option<Stands> {
        self.state().stands
    }

    /// It goes on.
    pub fn go_on(&self) {
        *self.state() = State::default();
        self.goes_on.notify_waiters();
    }

    /// A crossing: here it may stand still.
    pub async fn pass(&self, place: Stands) {
        loop {
            let goes_on = self.goes_on.notified();
            {
                let mut state = self.state();
                match state.stops_in {
                    Some(0) => {
                        state.stops_in = None;
                        state.stands = Some(place);
                    }
                    Some(left) => state.stops_in = Some(left - 1),
                    None => {}
                }
                if state.stands.is_none() {
                    return;
                }
            }
            goes_on.await;
        }
    }
}

/// The account, and a warehouse behind an API, as one process reaches them.
pub struct NodeTransport {
    pub node: Arc<Node>,
    pub account: Arc<Brightpearl>,
    pub rest: Arc<RestWarehouse>,
}

#[async_trait]
impl Transport for NodeTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        self.node.pass(Stands::AtTheWire).await;
        match request.url.host_str() {
            Some(HOST) => self.rest.send(request).await,
            _ => self.account.send(request).await,
        }
    }
}

/// The folder as one process reaches it.
pub struct NodeFiles {
    pub node: Arc<Node>,
    pub folder: Arc<ModelFolder>,
}

impl FileStores for NodeFiles {
    fn open(&self, _: FileLocation) -> Arc<dyn FileStore> {
        Arc::new(Self { node: Arc::clone(&self.node), folder: Arc::clone(&self.folder) })
    }
}

#[async_trait]
impl FileStore for NodeFiles {
    async fn list(&self, folder: &str) -> Result<Vec<FileEntry>, FileError> {
        self.node.pass(Stands::Inside).await;
        self.folder.list(folder).await
    }

    async fn read(&self, path: &str, largest: u64) -> Result<Vec<u8>, FileError> {
        self.node.pass(Stands::Inside).await;
        self.folder.read(path, largest).await
    }

    async fn stat(&self, path: &str) -> Result<Option<FileEntry>, FileError> {
        self.node.pass(Stands::Inside).await;
        self.folder.stat(path).await
    }

    async fn write(&self, path: &str, content: &[u8]) -> Result<(), FileError> {
        self.node.pass(Stands::Inside).await;
        self.folder.write(path, content).await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<Renamed, FileError> {
        // A rename happens once, however late it comes: no limit to how long it may stand before it.
        self.node.pass(Stands::Inside).await;
        self.folder.rename(from, to).await
    }

    async fn remove(&self, path: &str) -> Result<(), FileError> {
        self.node.pass(Stands::Inside).await;
        self.folder.remove(path).await
    }

    async fn create_folder(&self, path: &str) -> Result<(), FileError> {
        self.node.pass(Stands::Inside).await;
        self.folder.create_folder(path).await
    }

    async fn host_key(&self) -> Result<Option<String>, FileError> {
        self.folder.host_key().await
    }
}
