//! The `millrace` command.

use std::process::ExitCode;

use clap::Parser as _;
use millrace::cli::{self, args::Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli::start(cli)
}
