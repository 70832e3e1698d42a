//! Choices about who may ask, how often, and how much at once. The first of each is the default.

use serde::{Deserialize, Serialize};

/// What `/authorise` answers to a wrong password (*assumption*, question 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrongPassword {
    /// 401 with a plain text.
    #[default]
    Unauthorised,
    /// 400 with `errors`.
    BadRequest,
    /// 403 with `errors`.
    Forbidden,
    /// 200 with `errors`.
    Ok,
}

impl WrongPassword {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 3] = [Self::BadRequest, Self::Forbidden, Self::Ok];
}

/// How long the token of a staff log-in lives (*assumption*, question 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegacyTokenLife {
    /// 24 hours.
    #[default]
    Day,
    /// 30 minutes.
    HalfHour,
}

impl LegacyTokenLife {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::HalfHour];
}

/// What a new log-in does to the earlier tokens of the same user (*assumption*, question 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarlierTokens {
    /// They stay valid.
    #[default]
    Stay,
    /// They end.
    End,
}

impl EarlierTokens {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::End];
}

/// Whether a log-in uses quota (*assumption*, question 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogInCost {
    /// It does not.
    #[default]
    Free,
    /// It costs one request.
    One,
}

impl LogInCost {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::One];
}

/// What happens to a request whose client has gone (*assumption*, question 18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbandonedRequest {
    /// It is finished, perhaps late.
    #[default]
    Finished,
    /// It is dropped.
    Dropped,
}

impl AbandonedRequest {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Dropped];
}

/// Whether a throttled request has an effect (*assumption*, question 19).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottledRequest {
    /// Never.
    #[default]
    NoEffect,
    /// It does, behind the 503.
    TakesEffect,
}

impl ThrottledRequest {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::TakesEffect];
}

/// The window the requests are counted in (*assumption*, question 20).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottleWindow {
    /// Fixed, aligned to the UTC minute.
    #[default]
    UtcMinute,
    /// Any 60 seconds.
    Rolling,
}

impl ThrottleWindow {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Rolling];
}

/// Headers on a throttle 503 (*assumption*, question 21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottleHeaders {
    /// Both throttle headers, no `Retry-After`.
    #[default]
    Both,
    /// None of them.
    None,
}

impl ThrottleHeaders {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::None];
}

/// What a multi-message costs (*assumption*, question 22).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MultiMessageCost {
    /// One request.
    #[default]
    One,
    /// One request per part.
    Parts,
}

impl MultiMessageCost {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Parts];
}

/// What a multi-message gets that is PARALLEL with STOP, or too long (*assumption*, question 23).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MultiMessageRefusal {
    /// 400.
    #[default]
    BadRequest,
    /// 403.
    Forbidden,
}

impl MultiMessageRefusal {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Forbidden];
}

/// What a comma list that does not ascend gets (*assumption*, question 29).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DescendingList {
    /// 400 CMNC-006.
    #[default]
    Refused,
    /// The same as an ascending one.
    Accepted,
}

impl DescendingList {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Accepted];
}

/// The status above the largest id set (*assumption*, question 30).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdCapAnswer {
    /// 400.
    #[default]
    BadRequest,
    /// 414.
    UriTooLong,
}

impl IdCapAnswer {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::UriTooLong];
}

/// The earlier refresh token after a refresh (*assumption*, question 35).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OldRefreshToken {
    /// It ends at once.
    #[default]
    Invalid,
    /// It still works for a while.
    Grace,
}

impl OldRefreshToken {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Grace];
}

/// How long a refresh token lives (*assumption*, question 36).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshTokenLife {
    /// Without end.
    #[default]
    Unlimited,
    /// 30 days.
    ThirtyDays,
}

impl RefreshTokenLife {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::ThirtyDays];
}

/// The body of 403 and 414 answers (*assumption*, question 39).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForbiddenBody {
    /// An `errors` array.
    #[default]
    Errors,
    /// An HTML page.
    Html,
}

impl ForbiddenBody {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Html];
}

/// The largest request body (*assumption*, question 45).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LargestBody {
    /// 1 MiB, more gets 413.
    #[default]
    Mebibyte,
    /// Any size.
    Unlimited,
}

impl LargestBody {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Unlimited];
}

/// Whether short bursts are refused (*assumption*, question 48).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BurstLimit {
    /// No.
    #[default]
    None,
    /// More than 20 in a second get 429 with `Retry-After`.
    TwentyASecond,
}

impl BurstLimit {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::TwentyASecond];
}
