//! Call: one POST, begun in time or not at all.

use std::borrow::Cow;
use std::time::Duration;

use crate::domain::{Draft, OutboundContent};
use crate::graph::client::SendAnswer;
use crate::graph::send::{self, Endpoint};
use crate::telemetry::names;

use super::claim::Claimed;
use super::world::World;

/// A claimed row and what came of calling.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) claimed: Claimed,
    pub(super) end: CallEnd,
}

#[derive(Debug, Clone)]
pub(super) enum CallEnd {
    Answer(SendAnswer),
    /// Too late since the lock: nothing was written to the network.
    TooLate,
    /// It could not even be tried.
    Unsendable(&'static str),
}

/// Calls Graph once. Whatever may take time happens before the clock is looked at for the last time.
pub(super) async fn call(world: &World, claimed: Claimed) -> Answered {
    let end = post(world, &claimed).await;
    Answered { claimed, end }
}

async fn post(world: &World, claimed: &Claimed) -> CallEnd {
    let draft = &claimed.draft;
    let Some(number) = world.directory.number(draft.number) else {
        return CallEnd::Unsendable("the number is gone");
    };
    let Some(token) = world.credentials.token(&number).await else {
        return CallEnd::Unsendable("there is no access token that opens");
    };
    let endpoint = Endpoint::of(&draft.content);
    let body = send::body(
        &draft.recipient,
        &content(draft, claimed.row.doubts),
        draft.reply_to.as_deref(),
        draft.id,
    );
    if age(world, claimed) > world.config.hand_over_within {
        return CallEnd::TooLate;
    }
    let timeout = world.config.response_timeout;
    let answer = world
        .graph
        .send(&token, &number.phone_number_id, endpoint, body, timeout)
        .await;
    metrics::histogram!(names::DELIVERY_CALL_SECONDS).record(answer.elapsed.as_secs_f64());
    CallEnd::Answer(answer)
}

/// A tick that goes again after a doubt comes behind its answer, and must not show the person somebody typing.
fn content(draft: &Draft, doubts: u32) -> Cow<'_, OutboundContent> {
    match &draft.content {
        OutboundContent::MarkRead { message_id, .. } if doubts > 0 => {
            Cow::Owned(OutboundContent::MarkRead {
                message_id: message_id.clone(),
                typing: false,
            })
        }
        content => Cow::Borrowed(content),
    }
}

fn age(world: &World, claimed: &Claimed) -> Duration {
    world.monotonic.now().saturating_sub(claimed.locked_at)
}
