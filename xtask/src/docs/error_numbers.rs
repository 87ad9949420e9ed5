//! `docs/twilio-errors.md`: Twilio's error numbers, and what becomes of each.

use trunkline_twilio::rest::ERROR_NUMBERS;

const INTRODUCTION: &str = "\
# Twilio's error numbers

<!-- Written by `cargo xtask docs` from the sources. Do not edit. -->

What each number means, the code of the [messaging contract](errors.md) that it becomes, and whether a second try is
worth it. Where no code stands it depends on the operation: a `20404` of a send is `ErrCodeConversationNotFound`.

| Class | What happens |
|---|---|
| refused | Final. The message is shown as failed, with the number, and what it means. |
| auth | Final for a request; the gateway keeps answers and tries again, because keys are mended. |
| throttled | Nothing happened. The same is done again, after `Retry-After` if Twilio says one. |
| conflict | Nothing happened. The same is done again at once. |
| unavailable | It may have happened. Reads are repeated; before anything is sent again it is looked for. |
| undelivered | Twilio took the message and told later that it did not arrive. Shown with the message. |

A number that is not in the table is judged by the HTTP status of the answer: 429 is throttled, 401 is auth, 408 and all
from 500 are unavailable, the others are refused. After ten failures in a row of a host (no connection, no answer, or
unavailable) nothing is sent to it for a second; then one request tries it, and the pause doubles up to 15 seconds while
that fails. Meanwhile requests fail at once with `twilio.rest.circuit_open`, and what is to be said waits.

| Number | Meaning | Code | Class | Again? |
|---|---|---|---|---|
";

pub(super) fn document() -> String {
    let rows = ERROR_NUMBERS.iter().map(|known| {
        let code = known.code.map(|code| format!("`{}`", code.as_str())).unwrap_or_default();
        let (class, again) = (known.class.as_str(), known.class.again());
        format!("| {} | {} | {code} | {class} | {again} |\n", known.number, known.meaning)
    });
    std::iter::once(INTRODUCTION.to_owned()).chain(rows).collect()
}
