//! Refusals and the bodies they are answered with.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// Why a call is refused. Codes are the vendor's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 400: a property of the body.
    Model {
        property: String,
        value: Option<String>,
        code: &'static str,
        hint: String,
    },
    /// 400: a query parameter.
    Query {
        parameter: &'static str,
        code: &'static str,
        hint: String,
    },
    /// 401 without a body.
    Unauthenticated,
    /// 403: the credential lacks a role.
    Role(&'static str),
    /// 403: the operation does not fit the state.
    Operation {
        action: &'static str,
        code: &'static str,
        hint: String,
    },
    NotFound,
    PreconditionFailed,
    UnsupportedMediaType,
    PreconditionRequired,
}

impl Refusal {
    pub(super) fn required(property: &str) -> Self {
        Self::model(property, None, "Required")
    }

    pub(super) fn model(property: &str, value: Option<String>, code: &'static str) -> Self {
        Self::Model { property: property.to_owned(), value, code, hint: String::new() }
    }

    pub(super) fn operation(action: &'static str, code: &'static str) -> Self {
        Self::Operation { action, code, hint: String::new() }
    }

    pub(super) fn query(parameter: &'static str, code: &'static str, hint: &str) -> Self {
        Self::Query { parameter, code, hint: hint.to_owned() }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Model { .. } | Self::Query { .. } => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Role(_) | Self::Operation { .. } => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
        }
    }

    pub(super) fn code(&self) -> Option<&'static str> {
        match self {
            Self::Model { code, .. } | Self::Query { code, .. } | Self::Operation { code, .. } => Some(code),
            Self::Unauthenticated
            | Self::Role(_)
            | Self::NotFound
            | Self::PreconditionFailed
            | Self::UnsupportedMediaType
            | Self::PreconditionRequired => None,
        }
    }

    /// The body; names are PascalCase whatever media type was asked for.
    pub(super) fn body(&self) -> Option<Value> {
        let kind = |name: &str| format!("WMS.V2.Generic.Models.Exceptions.{name}, WMS.V2.Generic.Models");
        match self {
            Self::Model { property, value, code, hint } => Some(json!({
                "$type": kind("ModelValidationException"),
                "ModelType": 0,
                "Properties": [{"Name": property, "Value": value}],
                "ErrorCode": code,
                "Hint": hint,
            })),
            Self::Query { parameter, code, hint } => Some(json!({
                "$type": kind("QueryParameterException"),
                "Parameters": [parameter],
                "ErrorCode": code,
                "Hint": hint,
            })),
            Self::Role(role) => Some(json!({
                "$type": kind("AuthorizationException"),
                "ErrorCode": "Unauthorized",
                "Hint": format!("the credential lacks the role {role}"),
            })),
            Self::Operation { action, code, hint } => Some(json!({
                "$type": kind("OperationException"),
                "ActionNameType": 0,
                "ActionName": action,
                "ErrorCode": code,
                "Hint": hint,
            })),
            Self::Unauthenticated
            | Self::NotFound
            | Self::PreconditionFailed
            | Self::UnsupportedMediaType
            | Self::PreconditionRequired => None,
        }
    }
}
