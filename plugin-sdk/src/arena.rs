//! The allocator of a plugin: an arena inside the component's image, so that an ordinary turn never executes
//! `memory.grow` (plugin-hosts.md §2.3: a guest that grows costs the host three times as much to reset).
//!
//! Power-of-two blocks, each class with a list of freed ones; a block at the arena's end is extended in place. What does
//! not fit goes to the system's allocator, which grows memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::{self, NonNull, null_mut};

/// The arena that `export!` sets up unless told otherwise. A guess: an answer with all of its strings takes some 20 KiB,
/// the largest `kv` value 64 KiB; the host resets what was touched after each turn, so more is not free.
pub const DEFAULT_ARENA_BYTES: usize = 256 << 10;

/// Blocks have at least this size and every block at least this alignment.
const LEAST: usize = 16;
const LEAST_BITS: usize = LEAST.trailing_zeros() as usize;
/// Block sizes 16 bytes … 1 MiB; what is larger goes to the system.
const CLASSES: usize = 17;

/// An allocator over `BYTES` bytes of its own. Only for one thread: it is `Sync` in Wasm, where there is just one.
pub struct Arena<const BYTES: usize> {
    memory: UnsafeCell<Memory<BYTES>>,
    state: UnsafeCell<State>,
}

#[repr(C, align(16))]
struct Memory<const BYTES: usize>([u8; BYTES]);

struct State {
    /// Everything from here to the arena's end was never handed out.
    next: usize,
    /// The last freed block of each class; a free block begins with the pointer to the one freed before it.
    free: [*mut u8; CLASSES],
}

// SAFETY: wasm32 without the threads proposal, which the host refuses, has one thread.
#[cfg(all(target_arch = "wasm32", not(target_feature = "atomics")))]
unsafe impl<const BYTES: usize> Sync for Arena<BYTES> {}

impl<const BYTES: usize> Arena<BYTES> {
    /// All zero, so that it takes no room in the component's data.
    #[allow(
        clippy::new_without_default,
        reason = "a static needs the const function, nobody the trait"
    )]
    pub const fn new() -> Self {
        Self {
            memory: UnsafeCell::new(Memory([0; BYTES])),
            state: UnsafeCell::new(State {
                next: 0,
                free: [null_mut(); CLASSES],
            }),
        }
    }

    fn start(&self) -> *mut u8 {
        self.memory.get().cast()
    }

    fn owns(&self, block: *mut u8) -> bool {
        (block as usize).wrapping_sub(self.start() as usize) < BYTES
    }

    /// A block of that class, or `None` when the arena is exhausted.
    fn take(&self, class: usize) -> Option<NonNull<u8>> {
        // SAFETY: one thread, and no reference into the state outlives this function or is held by a caller.
        let state = unsafe { &mut *self.state.get() };
        let freed = state.free[class];
        if !freed.is_null() {
            // SAFETY: a block in the list was written by `give_back` and is at least a pointer long and aligned.
            state.free[class] = unsafe { freed.cast::<*mut u8>().read() };
            return NonNull::new(freed);
        }
        let size = size_of_class(class);
        if BYTES - state.next < size {
            return None;
        }
        // SAFETY: `next` + `size` lies within the arena.
        let block = unsafe { self.start().add(state.next) };
        state.next += size;
        NonNull::new(block)
    }

    /// # Safety
    /// `block` came from `take(class)` and is no longer used.
    unsafe fn give_back(&self, block: *mut u8, class: usize) {
        // SAFETY: as in `take`.
        let state = unsafe { &mut *self.state.get() };
        // SAFETY: the block is ours, at least 16 bytes long and 16-aligned.
        unsafe { block.cast::<*mut u8>().write(state.free[class]) };
        state.free[class] = block;
    }

    /// Makes the arena's last block larger without moving it. False when it is not the last or there is no room.
    fn extend(&self, block: *mut u8, from: usize, to: usize) -> bool {
        // SAFETY: as in `take`.
        let state = unsafe { &mut *self.state.get() };
        let offset = block as usize - self.start() as usize;
        let (from, to) = (size_of_class(from), size_of_class(to));
        if offset + from != state.next || BYTES - offset < to {
            return false;
        }
        state.next = offset + to;
        true
    }
}

/// The class whose blocks hold the layout; `None` when it is for the system: too large, or aligned to more than 16.
fn class_of(size: usize, align: usize) -> Option<usize> {
    let bits = size
        .max(LEAST)
        .checked_next_power_of_two()?
        .trailing_zeros() as usize;
    let class = bits - LEAST_BITS;
    (align <= LEAST && class < CLASSES).then_some(class)
}

fn size_of_class(class: usize) -> usize {
    LEAST << class
}

// SAFETY: a block is handed out once until it is given back, is as long and as aligned as asked, and never moves.
unsafe impl<const BYTES: usize> GlobalAlloc for Arena<BYTES> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let ours = class_of(layout.size(), layout.align()).and_then(|class| self.take(class));
        match ours {
            Some(block) => block.as_ptr(),
            // SAFETY: the caller's layout, unchanged.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match class_of(layout.size(), layout.align()) {
            // SAFETY: the block is from the arena, in the class that the same layout had when it was taken.
            Some(class) if self.owns(block) => unsafe { self.give_back(block, class) },
            // SAFETY: what is not the arena's is the system's, with the caller's layout.
            _ => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.owns(block) {
            // SAFETY: what is not the arena's is the system's, with the caller's layout.
            return unsafe { System.realloc(block, layout, size) };
        }
        let from = class_of(layout.size(), layout.align());
        let to = class_of(size, layout.align());
        if let (Some(from), Some(to)) = (from, to)
            && (to == from || to > from && self.extend(block, from, to))
        {
            return block;
        }
        // SAFETY: the size is the caller's (no overflow when rounded up, by its contract), the alignment was valid.
        let fresh = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !fresh.is_null() {
            // SAFETY: two different blocks, both at least as long as the shorter of the two sizes.
            unsafe { ptr::copy_nonoverlapping(block, fresh, layout.size().min(size)) };
            // SAFETY: the caller's block and layout; it is used no more.
            unsafe { self.dealloc(block, layout) };
        }
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).expect("a valid layout")
    }

    /// Allocates and fills a block, so that an overlap would show.
    fn filled<const N: usize>(arena: &Arena<N>, size: usize, byte: u8) -> *mut u8 {
        // SAFETY: the layout is not empty; the block is as long as asked.
        unsafe {
            let block = arena.alloc(layout(size));
            assert!(!block.is_null());
            block.write_bytes(byte, size);
            block
        }
    }

    fn holds(block: *mut u8, size: usize, byte: u8) -> bool {
        // SAFETY: the callers' blocks are alive and `size` bytes long.
        unsafe { std::slice::from_raw_parts(block, size) }
            .iter()
            .all(|b| *b == byte)
    }

    #[test]
    fn a_freed_block_is_used_again() {
        let arena = Arena::<{ 4 * KIB }>::new();
        for _ in 0..1_000 {
            let block = filled(&arena, 1_000, 1);
            assert!(arena.owns(block));
            // SAFETY: allocated just above with the same layout.
            unsafe { arena.dealloc(block, layout(1_000)) };
        }
    }

    #[test]
    fn living_blocks_never_overlap() {
        let arena = Arena::<{ 64 * KIB }>::new();
        let mut alive: Vec<(*mut u8, usize, u8)> = Vec::new();
        let mut seed = 7_u64;
        for round in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let draw = (seed >> 33) as usize;
            if draw.is_multiple_of(3) && !alive.is_empty() {
                let (block, size, byte) = alive.swap_remove(draw % alive.len());
                assert!(holds(block, size, byte));
                // SAFETY: alive, with this layout.
                unsafe { arena.dealloc(block, layout(size)) };
            } else if alive.len() < 200 {
                let (size, byte) = (1 + draw % 900, round as u8);
                alive.push((filled(&arena, size, byte), size, byte));
            }
        }
        assert!(
            alive
                .iter()
                .all(|(block, size, byte)| holds(*block, *size, *byte))
        );
    }

    #[test]
    fn the_last_block_grows_in_place_and_keeps_its_bytes() {
        let arena = Arena::<{ 64 * KIB }>::new();
        let mut block = filled(&arena, 100, 9);
        let first = block;
        let mut size = 100;
        while size < 30_000 {
            // SAFETY: alive, with this layout.
            block = unsafe { arena.realloc(block, layout(size), size * 2) };
            assert!(holds(block, 100, 9));
            size *= 2;
        }
        assert_eq!(block, first);
    }

    #[test]
    fn a_block_in_the_middle_moves_when_it_grows() {
        let arena = Arena::<{ 64 * KIB }>::new();
        let block = filled(&arena, 100, 1);
        let after = filled(&arena, 100, 2);
        // SAFETY: alive, with this layout.
        let moved = unsafe { arena.realloc(block, layout(100), 5_000) };
        assert_ne!(moved, block);
        assert!(holds(moved, 100, 1) && holds(after, 100, 2));
    }

    #[test]
    fn what_does_not_fit_comes_from_the_system() {
        let arena = Arena::<{ 4 * KIB }>::new();
        let large = filled(&arena, 8 * KIB, 3);
        assert!(!arena.owns(large));
        let small = filled(&arena, KIB, 4);
        assert!(arena.owns(small));
        // SAFETY: alive, with this layout; the arena has no room for the new size.
        let moved = unsafe { arena.realloc(small, layout(KIB), 6 * KIB) };
        assert!(!arena.owns(moved) && holds(moved, KIB, 4) && holds(large, 8 * KIB, 3));
        // SAFETY: both alive, with these layouts.
        unsafe {
            arena.dealloc(large, layout(8 * KIB));
            arena.dealloc(moved, layout(6 * KIB));
        }
    }

    #[test]
    fn strict_alignment_comes_from_the_system() {
        let arena = Arena::<{ 4 * KIB }>::new();
        let layout = Layout::from_size_align(64, 64).expect("a valid layout");
        // SAFETY: the layout is not empty; freed with the same one.
        unsafe {
            let block = arena.alloc(layout);
            assert!((block as usize).is_multiple_of(64) && !arena.owns(block));
            arena.dealloc(block, layout);
        }
    }
}
