//! Keys that are pressed from outside while a reply is under way.

use trunkline_core::Pii;

use super::*;

const SECOND: usize = 8_000;

fn begun(machine: &mut TurnMachine) -> ReplyId {
    machine.handle(Duration::ZERO, Input::Announce { interruptible: true });
    match machine.poll_output() {
        Some(Output::Start { reply, .. }) => reply,
        other => panic!("{other:?}"),
    }
}

fn spoken(machine: &mut TurnMachine) -> Option<Spoken> {
    std::iter::from_fn(|| machine.poll_output()).find_map(|output| match output {
        Output::Spoken(spoken) => Some(spoken),
        _ => None,
    })
}

#[test]
fn tones_take_their_time_and_are_not_heard_as_words() {
    let mut machine = TurnMachine::new(Policy::default());
    let reply = begun(&mut machine);
    for (at, text) in ["One two.", "Three four."].into_iter().enumerate() {
        if at == 1 {
            machine.tones_sent(Duration::ZERO, SECOND);
        }
        let segment = machine.begin_segment(reply, text).unwrap();
        assert!(machine.audio_sent(Duration::ZERO, segment, SECOND), "tones do not make a reply stale");
        assert!(machine.segment_sent(segment).is_some());
    }
    machine.handle(Duration::ZERO, Input::ReplyComplete { reply, ends_call: false });
    assert_eq!(machine.unheard(Duration::ZERO), ms(3_000));

    // The tones sound from 1 s to 2 s: whoever speaks then has not heard a word of what follows.
    machine.handle(ms(1_800), Input::SpeechStarted);
    let outputs: Vec<_> = std::iter::from_fn(|| machine.poll_output()).collect();
    assert!(outputs.contains(&Output::Clear), "{outputs:?}");
    machine.handle(ms(1_900), Input::Final(Pii::new("wait a moment please".to_owned())));
    let spoken = spoken(&mut machine).expect("the reply is over");
    assert_eq!(spoken.heard.expose(), "One two.");
}

#[test]
fn tones_alone_are_not_talked_over_and_leave_the_next_reply_whole() {
    let mut machine = TurnMachine::new(Policy::default());
    machine.tones_sent(Duration::ZERO, SECOND);
    machine.handle(ms(100), Input::SpeechStarted);
    assert_eq!(machine.poll_output(), None, "a machine that speaks while keys sound does not end them");
    machine.handle(ms(200), Input::SpeechEnded { at: ms(200) });
    machine.handle(ms(200), Input::Announce { interruptible: true });
    let Some(Output::Start { reply, .. }) = machine.poll_output() else { panic!("no reply") };
    let segment = machine.begin_segment(reply, "One two.").unwrap();
    assert!(machine.audio_sent(ms(200), segment, SECOND));
    assert_eq!(machine.unheard(ms(200)), ms(1_800), "it plays behind the tones");
}
