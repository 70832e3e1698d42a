//! The second factor of a person: added and removed by themselves, asked for at every sign-in.

use connect::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Caller, Failure, FailureKind, Hub, Problem, endpoints::SecretIn, keys};
use crate::{accounts::totp, db::Person};

/// A second factor that waits for its first code: the only time its secret is shown.
#[derive(Clone, Serialize, ToSchema)]
pub struct FactorOut {
    /// For typing into an authenticator app.
    pub secret: String,
    /// The same as an address, for a QR code.
    pub address: String,
}

/// A code.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeIn {
    /// As the app shows it.
    #[schema(value_type = String)]
    pub code: SecretIn,
}

/// Recovery codes: the only time they are shown.
#[derive(Clone, Serialize, ToSchema)]
pub struct RecoveryCodesOut {
    /// Each lets you in once without the app.
    pub recovery_codes: Vec<String>,
}

/// What came of a code.
pub(super) enum Given {
    /// It is right, and used up.
    Right,
    /// There was none.
    Missing,
    /// It is wrong, or was used before.
    Wrong,
}

/// Looks at a code of somebody who has a second factor, and uses it up.
pub(super) async fn given(hub: &Hub, person: &Person, code: Option<&SecretIn>) -> Result<Given, Failure> {
    let Some(code) = code.map(|code| code.0.expose().trim()).filter(|code| !code.is_empty()) else {
        return Ok(Given::Missing);
    };
    let Some(factor) = hub.db.factor(&person.tenant, &person.id, &hub.keyring).await? else {
        return Ok(Given::Wrong);
    };
    let now = hub.seams.clock.now();
    let used = match totp::step_of(factor.secret.expose(), code, factor.step, now) {
        Some(step) => hub.db.use_factor_step(&person.tenant, &person.id, step).await?,
        None => {
            let hash = recovery_hash(&person.id, code);
            hub.db.use_recovery_code(&person.tenant, &person.id, &hash, &format!("person {}", person.id)).await?
        }
    };
    Ok(if used { Given::Right } else { Given::Wrong })
}

/// The hash a recovery code is kept as, bound to its person.
fn recovery_hash(person: &str, code: &str) -> String {
    keys::hash(&format!("millrace recovery\0{person}\0{}", totp::recovery_code(code)))
}

/// Draws the secret of a second factor. Nothing asks for it until [`confirm`].
///
/// # Errors
/// When the caller is nobody who signed in, gave the password too long ago, or has one already.
pub async fn begin(hub: &Hub, caller: &Caller) -> Result<FactorOut, Failure> {
    let own = caller.person()?;
    caller.proves(hub)?;
    let person = hub.db.person(&own.tenant, &own.person).await?;
    let secret = totp::new_secret(&*hub.seams.random);
    hub.db.begin_factor(&own.tenant, &own.person, Secret::new(secret.as_str()), &hub.keyring).await?;
    Ok(FactorOut { address: totp::address(&secret, &person.email), secret })
}

/// Takes the first code: from now on one is asked for.
///
/// # Errors
/// When it is wrong, or no second factor waits for its first code.
pub async fn confirm(hub: &Hub, caller: &Caller, given: &CodeIn) -> Result<RecoveryCodesOut, Failure> {
    let own = caller.person()?;
    caller.proves(hub)?;
    let factor = hub.db.factor(&own.tenant, &own.person, &hub.keyring).await?;
    let factor = factor.filter(|factor| factor.since.is_none()).ok_or_else(|| {
        Failure::conflict("no second factor waits for its first code")
            .remedy("Begin one (`POST /session/second-factor`), or remove the one you have.")
    })?;
    let step = totp::step_of(factor.secret.expose(), given.code.0.expose(), factor.step, hub.seams.clock.now());
    let Some(step) = step else {
        return Err(Failure::invalid(
            "this is not the present code",
            vec![Problem::new("code", "give the one your app shows now; see that your device's clock is right")],
        ));
    };
    let codes = totp::recovery_codes(&*hub.seams.random);
    let hashes = codes.iter().map(|code| recovery_hash(&own.person, code)).collect();
    hub.db.confirm_factor(&own.tenant, &own.person, step, hashes, &caller.actor).await?;
    Ok(RecoveryCodesOut { recovery_codes: codes })
}

/// Takes the caller's own second factor away.
///
/// # Errors
/// When the caller is nobody who signed in, gave the password too long ago, or has none.
pub async fn remove(hub: &Hub, caller: &Caller) -> Result<(), Failure> {
    let own = caller.person()?;
    caller.proves(hub)?;
    hub.db.clear_factor(&own.tenant, &own.person, &caller.actor).await.map_err(|error| match error {
        crate::db::DbError::NotFound(_) => Failure::new(FailureKind::NotFound, "you have no second factor"),
        other => other.into(),
    })
}
