//! `vestibule plugin trace`: one turn, call by call.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{ask, output};
use crate::admin::Command;
use crate::config::Config;
use crate::domain::TurnId;

#[derive(Debug, Args)]
pub(super) struct Trace {
    /// The turn's id; sends and replays name it.
    turn: TurnId,
    /// Name or id of the tenant.
    #[arg(long)]
    tenant: String,
}

pub(super) async fn run(config: &Config, json: bool, asked: Trace) -> anyhow::Result<ExitCode> {
    let command = Command::PluginTrace {
        tenant: asked.tenant,
        turn: asked.turn,
    };
    let answer = ask::ask(config, command).await?;
    match json {
        true => output::answer(&answer, true),
        false => output::line(&text(&serde_json::to_value(answer)?)),
    }
    Ok(ExitCode::SUCCESS)
}

fn text(trace: &Value) -> String {
    let plain = |name: &str| trace[name].as_str().unwrap_or("-");
    let journal = &trace["journal"];
    let mut lines = vec![
        format!("turn          {}", plain("turn")),
        format!("conversation  {}", plain("conversation")),
        format!("at            {}", plain("at")),
        format!(
            "about         {}",
            journal["message"].as_str().unwrap_or("-")
        ),
        format!("outcome       {}", plain("outcome")),
    ];
    if journal["erased"] == true {
        lines.push("\nerased: what there was of the person is gone".to_owned());
    }
    let report = &journal["report"];
    let name = |row: &Value| {
        let id = row["installation"].as_str().unwrap_or("-");
        trace["plugins"][id].as_str().unwrap_or(id).to_owned()
    };
    section(&mut lines, "calls", rows(&report["calls"]), |call| {
        call_line(&name(call), call)
    });
    section(&mut lines, "on trial", rows(&journal["trials"]), |trial| {
        trial_lines(&name(trial), trial)
    });
    let answers = &report["host_answers"];
    section(
        &mut lines,
        "memory read",
        rows(&answers["answers"]),
        |row| format!("{}  {} = {}", name(row), row["key"], row["answer"]),
    );
    section(
        &mut lines,
        "memory listed",
        rows(&answers["lists"]),
        |row| format!("{}  {}* = {}", name(row), row["prefix"], row["answer"]),
    );
    section(&mut lines, "asked others", rows(&answers["http"]), |row| {
        request_line(&name(row), row)
    });
    section(&mut lines, "read", &reads(&answers["reads"]), |row| {
        row.as_str().unwrap_or("-").to_owned()
    });
    section(&mut lines, "memory written", rows(&report["kv"]), |row| {
        format!("{}  {}", name(row), row["writes"])
    });
    section(&mut lines, "effects", rows(&report["effects"]), |row| {
        effect_line(&name(row), row)
    });
    section(&mut lines, "policy", rows(&journal["decisions"]), |row| {
        decision_line(row)
    });
    section(&mut lines, "log", rows(&report["logs"]), |row| {
        let level = row["level"].as_str().unwrap_or("-");
        let message = row["message"].as_str().unwrap_or("");
        format!("{}  {level:5}  {message}", name(row))
    });
    section(
        &mut lines,
        "could not run",
        rows(&journal["not_runnable"]),
        |row| row.as_str().unwrap_or("-").to_owned(),
    );
    section(
        &mut lines,
        "left out of the journal",
        rows(&journal["cut"]),
        |row| row.as_str().unwrap_or("-").to_owned(),
    );
    lines.join("\n")
}

fn rows(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// What was read of the turn beside its message, a line each: of the past and of templates how much.
fn reads(reads: &Value) -> Vec<Value> {
    let all = reads.as_object().into_iter().flatten();
    let line = |(what, answer): (&String, &Value)| match &answer["said"]["Ok"] {
        Value::Array(said) => format!("{what}  {} entries", said.len()),
        _ if what == "templates" => {
            let lists = answer.as_object().into_iter().flatten();
            let asked: usize = lists.map(|(_, list)| rows(list).len()).sum();
            format!("{what}  {asked} answers")
        }
        _ => format!("{what}  {answer}"),
    };
    all.map(line).map(Value::String).collect()
}

fn section(lines: &mut Vec<String>, head: &str, rows: &[Value], line: impl Fn(&Value) -> String) {
    if !rows.is_empty() {
        lines.push(format!("\n{head}"));
        lines.extend(rows.iter().map(|row| format!("  {}", line(row))));
    }
}

fn call_line(plugin: &str, call: &Value) -> String {
    let number = |name: &str| call[name].as_u64().unwrap_or(0);
    // A journal from before it was kept has none: nobody knows what the limit was then.
    let share = match number("fuel_limit") {
        0 => String::new(),
        most => {
            let share = 100.0 * number("fuel") as f64 / most as f64;
            format!(" ({share:.2} % of {most})")
        }
    };
    let outcome = match &call["outcome"] {
        Value::String(word) => word.clone(),
        Value::Object(parts) => parts
            .iter()
            .map(|(word, what)| format!("{word}: {}", told(what)))
            .collect(),
        _ => "-".to_owned(),
    };
    format!(
        "{plugin}  {}  at +{} µs for {} µs  fuel {}{share}  memory {} KiB  {} host calls  {outcome}",
        call["hook"].as_str().unwrap_or("-"),
        number("start_us"),
        number("wall_us"),
        number("fuel"),
        number("memory_peak") >> 10,
        number("host_calls"),
    )
}

/// A version that was tried beside the one that answered, and its calls.
fn trial_lines(plugin: &str, trial: &Value) -> String {
    let plain = |name: &str| trial[name].as_str().unwrap_or("-");
    // The name has the version that answered.
    let plugin = plugin.split(' ').next().unwrap_or(plugin);
    let tried = format!("{plugin} {}", plain("version"));
    let came = match (trial["fell_back"].as_str(), trial["same"].as_bool()) {
        (Some(why), _) => format!("another answered in its place: {why}"),
        (None, Some(true)) => "wanted the same".to_owned(),
        (None, Some(false)) => "wanted something else".to_owned(),
        (None, None) => "not compared".to_owned(),
    };
    let calls = rows(&trial["calls"]).iter();
    let calls: String = calls
        .map(|call| format!("\n  {}", call_line(&tried, call)))
        .collect();
    format!("{tried}  {}  {came}{calls}", plain("stage"))
}

/// What an outcome says beside its word: a reason, or a fault with the frames of its trap, each on its own line.
pub(super) fn told(what: &Value) -> String {
    let (Some(kind), Some(message)) = (what["kind"].as_str(), what["message"].as_str()) else {
        return what
            .as_str()
            .map_or_else(|| what.to_string(), str::to_owned);
    };
    let frames = rows(&what["frames"]).iter().filter_map(Value::as_str);
    let frames: String = (frames.enumerate())
        .map(|(n, frame)| frame_lines(frame, rows(&what["lines"][n])))
        .collect();
    let missing = what["lines_missing"].as_str();
    let missing = missing.map_or_else(String::new, |why| format!("\n      no lines: {why}"));
    format!("{kind}: {message}{frames}{missing}")
}

/// A frame, a line for each function that was inlined there, with file and line where they are known.
fn frame_lines(frame: &str, lines: &[Value]) -> String {
    if lines.is_empty() {
        return format!("\n      in {frame}");
    }
    let line = |place: &Value| {
        let function = place["function"].as_str().unwrap_or(frame);
        let file = place["file"].as_str().unwrap_or("-");
        format!(
            "\n      in {function}\n         at {file}:{}",
            place["line"]
        )
    };
    lines.iter().map(line).collect()
}

/// Without the answer's body, which may be long: `--json` has it.
fn request_line(plugin: &str, row: &Value) -> String {
    let asked = row["asked"].as_str().unwrap_or("-");
    let answer = match row["answer"]["response"]["status"].as_u64() {
        Some(status) => status.to_string(),
        None => row["answer"]["refused"].to_string(),
    };
    format!("{plugin}  {asked}  {answer}")
}

fn effect_line(plugin: &str, row: &Value) -> String {
    match (row["sent"].as_str(), &row["effect"]) {
        (Some(send), _) => format!("{plugin}  became the send {send}"),
        (None, effect) => format!("{plugin}  {effect}"),
    }
}

fn decision_line(row: &Value) -> String {
    let send = row["send"].as_str().unwrap_or("-");
    let kind = row["kind"].as_str().unwrap_or("-");
    let decided = match (row["refused"].as_str(), row["deferred_until"].as_i64()) {
        (Some(reason), _) => format!("refused: {reason}"),
        (None, Some(until)) => {
            let until = crate::domain::Timestamp::from_millis(until);
            format!("deferred until {until}")
        }
        (None, None) => "cleared".to_owned(),
    };
    format!("{send}  {kind}  {decided}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_erased_turn_says_so() {
        let journal = json!({"erased": true, "seen": {"plugins": []}});
        let told = text(&json!({"turn": "trn_1", "journal": journal}));
        assert!(
            told.ends_with("erased: what there was of the person is gone"),
            "{told}"
        );
    }

    #[test]
    fn a_turn_is_told_call_by_call() {
        let trace = json!({
            "turn": "trn_1", "conversation": "cnv_1", "at": "today", "outcome": "fallback",
            "plugins": {"ins_1": "echo 1.0.0"},
            "journal": {"message": "text", "report": {
                "calls": [{"installation": "ins_1", "hook": "auto-reply", "fuel": 500, "fuel_limit": 1_000, "start_us": 12, "wall_us": 70,
                    "memory_peak": 65536, "host_calls": 3, "outcome": {"fault": {"kind": "trap",
                        "message": "panicked", "frames": ["echo::boom", "echo::reply", "echo::call"],
                        "lines": [[], [
                            {"function": "echo::inner", "file": "src/lib.rs", "line": 7},
                            {"file": "src/lib.rs", "line": 12},
                        ]]}}}, {"installation": "ins_1", "hook": "routing", "fuel": 250, "outcome": "ok"}],
                "host_answers": {"http": [
                    {"installation": "ins_1", "asked": "GET https://a.example/", "answer": {"response": {"status": 404}}},
                    {"installation": "ins_1", "asked": "GET https://b.example/", "answer": {"refused": "timeout"}},
                ]},
                "logs": [{"installation": "ins_1", "level": "warn", "message": "oh"}],
            }, "decisions": [{"send": "out_1", "kind": "text", "refused": "window_closed"}]},
        });
        let text = text(&trace);
        for part in [
            "echo 1.0.0  auto-reply  at +12 µs for 70 µs  fuel 500 (50.00 % of 1000)  memory 64 KiB  3 host calls",
            "fault: trap: panicked\n      in echo::boom\n      in echo::inner\n         at src/lib.rs:7\n      in echo::reply\n         at \
             src/lib.rs:12\n      in echo::call",
            // An old journal's.
            "echo 1.0.0  routing  at +0 µs for 0 µs  fuel 250  memory",
            "echo 1.0.0  GET https://a.example/  404",
            "echo 1.0.0  GET https://b.example/  \"timeout\"",
            "echo 1.0.0  warn   oh",
            "out_1  text  refused: window_closed",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
