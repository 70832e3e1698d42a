//! What the program says while it works: lines on standard error, and traces where the build has them and a collector is named.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::args::{Cli, Command, LogFormat};

/// Gives back what is still to be said when it goes.
pub(super) struct Logging {
    #[cfg(feature = "otel")]
    traces: Option<crate::otel::Traces>,
}

impl Logging {
    /// Sends what is still to be sent.
    pub(super) fn end(self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces {
            traces.end();
        }
    }
}

/// Begins to log, as the options and the environment say.
pub(super) fn begin(cli: &Cli) -> Logging {
    // A server says what it does; a command answers, and only warns beside that.
    let serves = matches!(cli.command, Command::Serve(_));
    let usual = if serves { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{usual},sqlx=warn")));
    // The filter is for all layers. One of a layer's own keeps its answers per thread, and where something asks whether a level is
    // on and then says nothing, as sqlx does, the next line of that thread was lost with it.
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match cli.common.log_format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    #[cfg(feature = "otel")]
    {
        let (layer, traces, problem) = match if serves { crate::otel::layer() } else { Ok(None) } {
            Ok(Some((layer, traces))) => (Some(layer), Some(traces), None),
            Ok(None) => (None, None, None),
            Err(problem) => (None, None, Some(problem)),
        };
        tracing_subscriber::registry().with(filter).with(lines).with(layer).init();
        if let Some(problem) = problem {
            tracing::warn!("no traces are sent: {problem}");
        }
        Logging { traces }
    }
    #[cfg(not(feature = "otel"))]
    {
        tracing_subscriber::registry().with(filter).with(lines).init();
        if serves && ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"].iter().any(is_set) {
            tracing::warn!(
                "a collector for traces is named, and this build sends none: build it with the feature otel"
            );
        }
        Logging {}
    }
}

#[cfg(not(feature = "otel"))]
fn is_set(name: &&str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}
