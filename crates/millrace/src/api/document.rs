//! What every route's documentation has in common: the key, the refusals, and the repeat key. Written down once, from what
//! the layers around the routes do, instead of on each route by hand.

use utoipa::openapi::{
    Content, Header, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder,
    path::{Operation, Parameter, ParameterBuilder, ParameterIn},
    schema::{ObjectBuilder, Schema, Type},
};

use super::{allowance, versions};

/// Routes that ask a remote system while they answer, and pass on what comes of it.
const REMOTE: [&str; 21] = [
    "begin_consent",
    "begin_provider_sign_in",
    "create_connection",
    "export_data",
    "get_choices",
    "get_drift",
    "get_store_choices",
    "get_warehouse_choices",
    "import_mappings",
    "plan_configuration",
    "register_webhooks",
    "repair_finding",
    "test_connection",
    "test_new_store",
    "test_new_warehouse",
    "test_store",
    "test_warehouse",
    "update_channel",
    "update_configuration",
    "update_schedule",
    "update_settings",
];

/// Routes that look at a password, here or elsewhere: too many tries, and the next one waits.
const THROTTLED: [&str; 6] =
    ["begin_provider_sign_in", "change_password", "finish_provider_sign_in", "prove", "sign_in", "submit_hand_off"];

/// Gives each operation every status that it has, in place of a `default`.
pub(super) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        if versions::of(path).is_some() {
            item.get.iter_mut().for_each(shows_version);
            item.put.iter_mut().for_each(asks_version);
        }
        for (operation, posts, changes) in [
            (item.get.as_mut(), false, false),
            (item.put.as_mut(), false, true),
            (item.post.as_mut(), true, true),
            (item.patch.as_mut(), false, true),
            (item.delete.as_mut(), false, true),
        ] {
            if let Some(operation) = operation {
                // What people do about themselves shows secrets and sets cookies: no answer of it is kept for a repeat.
                // What warehouses post carries its own id.
                let apart = ["session", "warehouse"];
                let kept = !operation.tags.iter().flatten().any(|tag| apart.contains(&tag.as_str()));
                if posts && kept {
                    operation.parameters.get_or_insert_default().push(RefOr::T(repeat_key()));
                }
                refusals(operation, changes);
            }
        }
    }
}

/// What is read says which version it is.
fn shows_version(operation: &mut Operation) {
    let unless = "An `ETag`: while what is shown has this version, the answer is 304.";
    operation.parameters.get_or_insert_default().push(RefOr::T(version("If-None-Match", unless)));
    let responses = &mut operation.responses.responses;
    if let Some(RefOr::T(shown)) = responses.get_mut("200") {
        let about = ObjectBuilder::new().schema_type(Type::String).description(Some("Its version."));
        shown.headers.insert("ETag".to_owned(), RefOr::T(Header::new(Schema::Object(about.build()))));
    }
    let same = ResponseBuilder::new().description("It is as it was").build();
    responses.insert("304".to_owned(), RefOr::T(same));
}

/// What is changed may be meant for one version only.
fn asks_version(operation: &mut Operation) {
    let only = "The `ETag` of what was read: when it has changed meanwhile, nothing is written.";
    operation.parameters.get_or_insert_default().push(RefOr::T(version("If-Match", only)));
    let about = "It has changed since the version that If-Match names";
    operation.responses.responses.insert("412".to_owned(), RefOr::T(problem("412", about)));
}

fn version(name: &str, about: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
        .build()
}

fn refusals(operation: &mut Operation, changes: bool) {
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let has = |place: ParameterIn| {
        parameters.iter().any(|given| matches!(given, RefOr::T(parameter) if parameter.parameter_in == place))
    };
    let (in_path, in_query, in_header) = (has(ParameterIn::Path), has(ParameterIn::Query), has(ParameterIn::Header));
    let body = operation.request_body.is_some();
    let id = operation.operation_id.as_deref().unwrap_or_default();
    let (remote, throttled) = (REMOTE.contains(&id), THROTTLED.contains(&id));
    // Whoever is known has an allowance; the others say that they need nothing.
    let known = operation.security.is_none();
    let statuses = [
        ("400", in_query || in_header || body, "The query, the body or a header cannot be read"),
        ("401", true, "No key or session that is valid; or a password or a code is needed, or was wrong"),
        ("403", true, "The caller may not do this"),
        ("404", in_path || body || in_query, "It does not exist, or not for this caller"),
        ("409", changes || remote, "It clashes with how things stand"),
        ("413", changes, "The body is larger than 1 MiB"),
        ("415", body, "The body is of another kind"),
        ("422", true, "What was given cannot be used, or it must be said which tenant is meant"),
        (
            "429",
            throttled || known,
            if throttled { "There were too many requests, or too many tries" } else { "There were too many requests" },
        ),
        ("500", true, "A fault of the program"),
        ("501", remote || id == "create_backup", "The installation is not set up for it"),
        ("502", remote, "The remote system refused, or did not answer"),
        ("503", true, "Not available at the moment"),
        ("504", true, "The answer took too long"),
    ];
    let responses = &mut operation.responses.responses;
    responses.remove("default");
    for (status, given, about) in statuses {
        if given {
            responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(status, about)));
        }
    }
}

fn problem(status: &str, about: &str) -> Response {
    let content = Content::builder().schema(Some(Ref::from_schema_name("ProblemOut"))).build();
    let response = ResponseBuilder::new().description(about).content("application/problem+json", content);
    let text = || Header::new(Schema::Object(ObjectBuilder::new().schema_type(Type::String).build()));
    let whole = || Header::new(Schema::Object(ObjectBuilder::new().schema_type(Type::Integer).build()));
    match status {
        "401" => response.header("WWW-Authenticate", text()).build(),
        "429" => allowance::HEADERS
            .iter()
            .fold(response.header("Retry-After", text()), |response, name| response.header(*name, whole()))
            .build(),
        "503" => response.header("Retry-After", text()).build(),
        _ => response.build(),
    }
}

fn repeat_key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Sent again with the same key, the request is not carried out again: its first answer is given again, or why there is \
             none (`still_running`, `outcome_unknown`, `shown_once`, `answer_not_kept`).",
        ))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(255))
                .pattern(Some("^[!-~]+$"))
                .build(),
        ))
        .build()
}
