//! Asks whatever the message says, and says what came of it: `{"url": …, "times": 2}`. Parts of values are `{"text": …}`,
//! `{"secret": …}`, `"phone"`, `"bsuid"`.

use serde::Deserialize;
use vestibule_plugin::http::{Body, HttpError, Method, Part, Request, Response};
use vestibule_plugin::{AutoReply, Outcome, Turn, kv};

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Piece {
    Text(String),
    Secret(String),
    Phone,
    Bsuid,
}

#[derive(Deserialize)]
struct Wish {
    url: String,
    #[serde(default)]
    method: String,
    #[serde(default)]
    headers: Vec<(String, Vec<Piece>)>,
    body: Option<String>,
    /// Texts that are put into the body, which is JSON then.
    members: Option<Vec<(String, Vec<Piece>)>>,
    times: Option<u32>,
    /// A key whose number is read before and written after.
    counts: Option<String>,
}

struct Asker;

impl AutoReply for Asker {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let wish: Wish = serde_json::from_str(&turn.message().text())?;
        let before = wish.counts.as_deref().map(kv::number).transpose()?;
        let mut answers = Vec::new();
        for _ in 0..wish.times.unwrap_or(1) {
            answers.push(shown(request(&wish).send()));
        }
        answers.dedup();
        if let (Some(key), Some(before)) = (&wish.counts, before) {
            kv::set(key, (before + 1).to_string().as_bytes())?;
        }
        turn.reply_text(&answers.join("; "))?;
        Ok(())
    }
}

fn request(wish: &Wish) -> Request {
    let method = match wish.method.as_str() {
        "head" => Method::Head,
        "post" => Method::Post,
        "put" => Method::Put,
        "patch" => Method::Patch,
        "delete" => Method::Delete,
        _ => Method::Get,
    };
    let mut request = Request::new(method, &wish.url);
    for (name, value) in &wish.headers {
        request = request.header_of(name, parts(value));
    }
    request.body = match (&wish.body, &wish.members) {
        (body, Some(members)) => {
            let members = members.iter().map(|(at, value)| (at.clone(), parts(value)));
            let json = body.clone().unwrap_or_else(|| "{}".to_owned());
            Some(Body::Json(json, members.collect()))
        }
        (Some(body), None) => Some(Body::Bytes(body.clone().into_bytes())),
        (None, None) => None,
    };
    request
}

fn parts(pieces: &[Piece]) -> Vec<Part> {
    let part = |piece: &Piece| match piece {
        Piece::Text(text) => Part::Text(text.clone()),
        Piece::Secret(name) => Part::Secret(name.clone()),
        Piece::Phone => Part::Phone,
        Piece::Bsuid => Part::Bsuid,
    };
    pieces.iter().map(part).collect()
}

/// All that a plugin that means harm could pass on.
fn shown(answer: Result<Response, HttpError>) -> String {
    match answer {
        Ok(answer) => {
            let headers = answer.headers.iter();
            let headers = headers.filter(|(name, _)| name != "date" && name != "content-length");
            let headers: Vec<String> = headers.map(|(n, v)| format!("{n}={v}")).collect();
            format!(
                "{} [{}] {}",
                answer.status,
                headers.join(","),
                answer.text()
            )
        }
        Err(error) => {
            let kind = format!("{error:?}");
            let kind = kind.split('(').next().unwrap_or_default().to_owned();
            format!("{kind}: {error}")
        }
    }
}

vestibule_plugin::export!(Asker as auto_reply);
