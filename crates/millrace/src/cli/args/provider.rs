//! The identity provider at which people can sign in.

use std::path::PathBuf;

use clap::Args;
use connect::Secret;
use url::Url;

use crate::{
    config,
    notify::address,
    operate::{Failure, FailureKind},
};

/// The environment variable that holds the client's secret.
const CLIENT_SECRET: &str = "MILLRACE_OIDC_CLIENT_SECRET";

/// An identity provider (OpenID Connect).
#[derive(Debug, Clone, Args)]
pub struct Provider {
    /// Identity provider (OpenID Connect) at which people can sign in, as it calls itself: `https://login.example.com`. The
    /// client's secret is MILLRACE_OIDC_CLIENT_SECRET in the environment, or in --oidc-client-secret-file. Needs --public-url.
    #[arg(long, env = "MILLRACE_OIDC_ISSUER", value_name = "URL", requires = "oidc_client_id")]
    pub oidc_issuer: Option<String>,
    /// Id of this installation's client there; registered with the public address and /sign-in/provider.
    #[arg(long, env = "MILLRACE_OIDC_CLIENT_ID", value_name = "ID", requires = "oidc_issuer")]
    pub oidc_client_id: Option<String>,
    /// File that holds the client's secret.
    #[arg(long, env = "MILLRACE_OIDC_CLIENT_SECRET_FILE", value_name = "FILE", requires = "oidc_issuer")]
    pub oidc_client_secret_file: Option<PathBuf>,
    /// What people call the provider. Default: its host.
    #[arg(long, env = "MILLRACE_OIDC_NAME", value_name = "TEXT", requires = "oidc_issuer")]
    pub oidc_name: Option<String>,
}

impl Provider {
    /// The provider, if one is given and can be used.
    ///
    /// # Errors
    /// What is wrong with it, and what to give.
    pub fn settings(&self, config: &config::Config) -> Result<Option<config::Provider>, Failure> {
        let (Some(issuer), Some(client_id)) = (&self.oidc_issuer, &self.oidc_client_id) else { return Ok(None) };
        let setup = |why: String| Failure::new(FailureKind::Setup, why);
        let url: Url = address::allowed(issuer, &config.guard()).map_err(|why| {
            setup(format!("the identity provider {issuer:?} cannot be used: {why}"))
                .remedy("Correct --oidc-issuer; a provider in a private network needs --private-networks.")
        })?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(setup(format!("the identity provider {issuer:?} has a query or a fragment"))
                .remedy("Give --oidc-issuer as the provider calls itself."));
        }
        if config.public_url.is_none() {
            return Err(setup("the identity provider must know where to send browsers back to".to_owned()).remedy(
                "Give --public-url as well, and register the client with that address and /sign-in/provider.",
            ));
        }
        let typed = std::env::var(CLIENT_SECRET).ok().filter(|text| !text.is_empty()).map(Secret::new);
        let client_secret = match (typed, &self.oidc_client_secret_file) {
            (Some(typed), _) => typed,
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file).map_err(|error| {
                    setup(format!("the client's secret {} cannot be read: {error}", file.display()))
                        .remedy("Correct --oidc-client-secret-file, or its permissions.")
                })?;
                Secret::new(text.trim_end())
            }
            (None, None) => {
                return Err(setup("the client at the identity provider has no secret".to_owned()).remedy(format!(
                    "Put it into {CLIENT_SECRET}, or into a file, and give --oidc-client-secret-file."
                )));
            }
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        let name = self.oidc_name.clone().filter(|name| !name.trim().is_empty()).unwrap_or(host);
        Ok(Some(config::Provider { issuer: issuer.clone(), client_id: client_id.clone(), client_secret, name }))
    }
}
