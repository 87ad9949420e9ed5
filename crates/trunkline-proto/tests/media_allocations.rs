//! A frame of audio costs no allocation, in either direction, at either end.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use trunkline_proto::media::{CallFacts, CallerSession, Command, Event, FRAME_BYTES, Limits, ServerSession, Track};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

#[test]
fn a_frame_of_audio_allocates_nothing() {
    let before = allocations();
    let mut caller = CallerSession::new(CallFacts {
        account_sid: "AC11111111111111111111111111111111".to_owned(),
        call_sid: "CA22222222222222222222222222222222".to_owned(),
        stream_sid: "MZ18ad3ab5a668481ce02b83e7395059f0".to_owned(),
        tracks: vec![Track::Inbound],
        custom_parameters: BTreeMap::new(),
    });
    let mut server = ServerSession::new(Limits::default());
    let mut out = Vec::with_capacity(1024);
    caller.write_start(&mut out);
    server.text(str::from_utf8(&out).unwrap()).unwrap();
    assert!(allocations() > before, "the counter counts");

    let mut bytes = [0; FRAME_BYTES];
    let before = allocations();
    for at in 0..1000_u64 {
        out.clear();
        caller.write_media(Track::Inbound, at * 20, &[0x55; FRAME_BYTES], &mut out);
        let Ok(Event::Media(media)) = server.text(str::from_utf8(&out).unwrap()) else { panic!("no audio") };
        assert_eq!((media.chunk, media.payload.decode_into(&mut bytes)), (at + 1, Ok(FRAME_BYTES)));
        out.clear();
        assert!(server.write_media(&bytes, &mut out));
        let Ok(Command::Media(payload)) = caller.text(str::from_utf8(&out).unwrap()) else { panic!("no audio") };
        assert_eq!(payload.decode_into(&mut bytes), Ok(FRAME_BYTES));
    }
    assert_eq!(allocations(), before);
    assert_eq!(bytes, [0x55; FRAME_BYTES]);
}
