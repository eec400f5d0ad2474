//! Memory for opened keys: in no swap, in no core file, not to be read through `/proc`, zero when given back.
//!
//! Mappings are memfd_secret(2) where the kernel has it: such pages leave the kernel's own map too. Else, or with
//! `CHANCERY_ENCLAVE_MEMORY=mlock` in the environment (a host can't hibernate while secret memory exists), they are
//! anonymous, locked, and left out of core files. Small values share mappings: a key costs tens of bytes, not a page.
//!
//! **Invariants**: what is given back is overwritten with zeros first, so what is taken is all zeros; a slot has one
//! owner; sizes and alignments are those of [`Block::take`]; growth ends at [`MOST`]. The `unsafe` of this crate is in
//! this file and in `hardening`.
//!
//! **Not here**: what lies on the heap of AWS-LC (it cleanses what it frees) and in registers. Temporary copies on the
//! stack are wiped by [`on_clean_stack`].

#![allow(unsafe_code)]

use std::{
    ffi::c_void,
    hint::black_box,
    io,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    os::fd::{FromRawFd, OwnedFd},
    ptr::{self, NonNull},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering, compiler_fence},
    },
};

use chancery_ipc::FaultReason;
use rustix::{
    fs::ftruncate,
    io::Errno,
    mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap, mmap_anonymous, munmap},
};

use crate::{fault::Failure, log};

/// Set to `mlock`, it forgoes memfd_secret(2).
const CHOICE: &str = "CHANCERY_ENCLAVE_MEMORY";
/// Bytes of a mapping that small values share: a multiple of every page size that Linux has.
const SHARED: usize = 64 << 10;
/// Small values take the next power of two from this to [`LARGEST`].
const SMALLEST: usize = 32;
/// Larger values have a mapping of their own.
const LARGEST: usize = 4096;
const CLASSES: usize = (LARGEST / SMALLEST).ilog2() as usize + 1;
/// The most bytes mapped: 16,384 RSA keys of 4096 bits and their like take a quarter.
const MOST: usize = 256 << 20;
/// Bytes of dead stack that are wiped; see [`on_clean_stack`].
const STACK: usize = 32 << 10;

/// Decides what secrets are kept in, and says so.
pub(crate) fn announce() {
    log::line(match arena().kind {
        Kind::Secret => "opened keys are kept in secret memory (memfd_secret)",
        Kind::Locked => "opened keys are kept in locked memory (mlock)",
    });
}

/// Overwrites every secret, at the very end: keys that other threads still use are zeros from now on, so nothing that
/// they make may leave the process any more.
pub(crate) fn wipe_all() {
    let Some(arena) = ARENA.get() else { return };
    // A panic may have struck the thread that holds the lock; the kernel clears secret memory in any case.
    let Ok(state) = arena.state.try_lock() else { return };
    for mapping in &state.mappings {
        // SAFETY: a listed mapping stays mapped and writable while it is listed, and the list is locked. Other threads
        // may read it meanwhile; each of these writes is a single volatile one, and the process ends.
        unsafe { wipe(mapping.start, mapping.length) };
    }
}

/// Runs `work`, then overwrites the stack that it used: secrets that it copied there outlive it otherwise.
pub(crate) fn on_clean_stack<T>(work: impl FnOnce() -> T) -> T {
    #[inline(never)]
    fn call<T>(work: impl FnOnce() -> T) -> T {
        work()
    }
    #[inline(never)]
    fn wipe_stack() {
        black_box(&mut [0_u8; STACK]);
    }
    let result = call(work);
    wipe_stack();
    result
}

/// A value that lives in secret memory. Never printed; dropped, then overwritten.
pub(crate) struct SecretBox<T> {
    block: Block,
    value: PhantomData<T>,
}

// SAFETY: a box owns its value, as `Box<T>` does.
unsafe impl<T: Send> Send for SecretBox<T> {}
// SAFETY: a shared box gives shared references only, as `Box<T>` does.
unsafe impl<T: Sync> Sync for SecretBox<T> {}

impl<T> SecretBox<T> {
    /// What `make` makes. It runs on a stack that is wiped before this returns.
    pub(crate) fn new_with(make: impl FnOnce() -> Result<T, Failure>) -> Result<Self, Failure> {
        Self::new_in(arena(), make)
    }

    fn new_in(arena: &'static Arena, make: impl FnOnce() -> Result<T, Failure>) -> Result<Self, Failure> {
        const { assert!(align_of::<T>() <= LARGEST) };
        let block = Block::take(arena, size_of::<T>().max(align_of::<T>()))?;
        on_clean_stack(|| {
            let value = make()?;
            // SAFETY: the block is writable, is not in use, and has room and alignment for a T (see `Block::take`).
            unsafe { block.start.cast::<T>().write(value) };
            Ok(())
        })?;
        Ok(Self { block, value: PhantomData })
    }
}

impl<T> Deref for SecretBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `new_in` wrote a T there, which lives until `drop`.
        unsafe { self.block.start.cast().as_ref() }
    }
}

impl<T> DerefMut for SecretBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: `new_in` wrote a T there, which lives until `drop`; whoever has the box has the only reference.
        unsafe { self.block.start.cast().as_mut() }
    }
}

impl<T> Drop for SecretBox<T> {
    fn drop(&mut self) {
        // SAFETY: the value is there and is not used again; the block is wiped and given back after this.
        unsafe { ptr::drop_in_place(self.block.start.cast::<T>().as_ptr()) };
    }
}

/// Bytes in secret memory. Never printed; overwritten when dropped.
pub(crate) struct SecretBytes {
    block: Block,
    length: usize,
}

// SAFETY: as for `Box<[u8]>`: it owns its bytes.
unsafe impl Send for SecretBytes {}
// SAFETY: shared, it only gives shared references.
unsafe impl Sync for SecretBytes {}

impl SecretBytes {
    /// As many zeros.
    pub(crate) fn zeroed(length: usize) -> Result<Self, Failure> {
        Self::zeroed_in(arena(), length)
    }

    /// A copy. Whoever has the original wipes it.
    pub(crate) fn copy_of(bytes: &[u8]) -> Result<Self, Failure> {
        let mut copy = Self::zeroed(bytes.len())?;
        copy.copy_from_slice(bytes);
        Ok(copy)
    }

    /// Forgets what lies beyond the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        if length < self.length {
            self[length..].fill(0);
            self.length = length;
        }
    }

    fn zeroed_in(arena: &'static Arena, length: usize) -> Result<Self, Failure> {
        Ok(Self { block: Block::take(arena, length)?, length })
    }
}

impl Deref for SecretBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the block has at least `length` bytes, all initialized (zeros, or what was written as bytes).
        unsafe { std::slice::from_raw_parts(self.block.start.as_ptr(), self.length) }
    }
}

impl DerefMut for SecretBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.block.start.as_ptr(), self.length) }
    }
}

/// Bytes that one owner holds.
struct Block {
    arena: &'static Arena,
    start: NonNull<u8>,
    size: Size,
}

impl Block {
    /// At least `length` zero bytes, aligned to the next power of two of `length`, at most to [`LARGEST`].
    fn take(arena: &'static Arena, length: usize) -> Result<Self, Failure> {
        let size = Size::of(length);
        let mut state = arena.state();
        let start = match size {
            Size::Class(class) => match state.free[class].pop() {
                Some(start) => start.0,
                None => arena.grow(&mut state, class)?,
            },
            Size::Own(length) => arena.map(&mut state, length)?,
        };
        Ok(Self { arena, start, size })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block is this owner's, writable, and of that many bytes.
        unsafe { wipe(self.start, self.size.bytes()) };
        let mut state = self.arena.state();
        match self.size {
            Size::Class(class) => state.free[class].push(Start(self.start)),
            Size::Own(length) => {
                state.mappings.retain(|mapping| mapping.start != self.start);
                state.mapped -= length;
                // SAFETY: the mapping is this owner's alone, has that length, and is not used again.
                let unmapped = unsafe { munmap(self.start.as_ptr().cast(), length) };
                debug_assert!(unmapped.is_ok(), "munmap of a mapping of our own: {unmapped:?}");
            }
        }
    }
}

/// How much a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    /// `SMALLEST << class` bytes, in a mapping that is shared.
    Class(usize),
    /// A mapping of its own, a multiple of [`SHARED`].
    Own(usize),
}

impl Size {
    fn of(length: usize) -> Self {
        if length > LARGEST {
            return Self::Own(length.next_multiple_of(SHARED));
        }
        Self::Class((length.max(SMALLEST).next_power_of_two() / SMALLEST).ilog2() as usize)
    }

    fn bytes(self) -> usize {
        match self {
            Self::Class(class) => SMALLEST << class,
            Self::Own(length) => length,
        }
    }
}

static ARENA: OnceLock<Arena> = OnceLock::new();

fn arena() -> &'static Arena {
    ARENA.get_or_init(|| Arena::new(Kind::choose()))
}

/// All secret memory of one kind.
struct Arena {
    kind: Kind,
    state: Mutex<State>,
    /// It was said that memory is not locked.
    warned: AtomicBool,
}

#[derive(Default)]
struct State {
    free: [Vec<Start>; CLASSES],
    mappings: Vec<Mapping>,
    mapped: usize,
}

struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

/// Where a free block begins.
struct Start(NonNull<u8>);

// SAFETY: an address that whoever takes it from the list owns, on whatever thread.
unsafe impl Send for Start {}
// SAFETY: an address and a length; what is done with them is guarded by the list's lock.
unsafe impl Send for Mapping {}

impl Arena {
    fn new(kind: Kind) -> Self {
        Self { kind, state: Mutex::default(), warned: AtomicBool::new(false) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Maps room for blocks of `class`: gives one of them and lists the others as free.
    fn grow(&self, state: &mut State, class: usize) -> Result<NonNull<u8>, Failure> {
        let start = self.map(state, SHARED)?;
        for offset in (SMALLEST << class..SHARED).step_by(SMALLEST << class) {
            // SAFETY: `offset` is within the mapping of SHARED bytes.
            state.free[class].push(Start(unsafe { start.add(offset) }));
        }
        Ok(start)
    }

    fn map(&self, state: &mut State, length: usize) -> Result<NonNull<u8>, Failure> {
        if state.mapped + length > MOST {
            return Err(full("as much is open at a time as the enclave holds"));
        }
        let start = match self.kind {
            // It counts as locked memory: what exceeds the limit may still be had unlocked.
            Kind::Secret => map_secret(length).or_else(|_| self.map_locked(length)),
            Kind::Locked => self.map_locked(length),
        };
        let start = start.map_err(|errno| full(&format!("mmap: {errno}")))?;
        state.mapped += length;
        state.mappings.push(Mapping { start, length });
        Ok(start)
    }

    /// Anonymous memory, locked where the limit allows.
    fn map_locked(&self, length: usize) -> Result<NonNull<u8>, Errno> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), length, access, MapFlags::PRIVATE) }?;
        // SAFETY: the range was mapped just now. None of the three changes what it holds in this process.
        let locked = unsafe {
            // Best effort: older kernels lack the second.
            let _ = madvise(start, length, Advice::LinuxDontDump);
            let _ = madvise(start, length, Advice::LinuxWipeOnFork);
            mlock(start, length)
        };
        if let Err(errno) = locked
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            log::line(&format!("opened keys may be swapped out: mlock: {errno}; set LimitMEMLOCK=infinity"));
        }
        non_null(start)
    }
}

/// What secrets are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// memfd_secret(2).
    Secret,
    /// Anonymous and locked.
    Locked,
}

impl Kind {
    fn choose() -> Self {
        if std::env::var_os(CHOICE).is_some_and(|choice| choice == "mlock") {
            return Self::Locked;
        }
        match map_secret(SHARED) {
            Ok(start) => {
                // SAFETY: mapped just now, with that length, and known to nobody else.
                let _ = unsafe { munmap(start.as_ptr().cast(), SHARED) };
                Self::Secret
            }
            Err(_) => Self::Locked,
        }
    }
}

/// Memory that only this process's page tables name (Linux 5.14; on x86 before 6.5 with secretmem.enable=1).
fn map_secret(length: usize) -> Result<NonNull<u8>, Errno> {
    // SAFETY: the call takes one integer and touches no memory.
    let descriptor = unsafe { libc::syscall(libc::SYS_memfd_secret, libc::O_CLOEXEC) };
    let Ok(descriptor @ 0..) = i32::try_from(descriptor) else {
        return Err(io::Error::last_os_error().raw_os_error().map_or(Errno::NOSYS, Errno::from_raw_os_error));
    };
    // SAFETY: the kernel made the descriptor just now, for us.
    let file = unsafe { OwnedFd::from_raw_fd(descriptor) };
    ftruncate(&file, length as u64)?;
    // SAFETY: a new mapping at an address of the kernel's choice touches no other memory; nobody else can name the file.
    let start =
        unsafe { mmap(ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0) }?;
    // SAFETY: the range was mapped just now. A child would share the pages: it gets none. They are never dumped.
    let _ = unsafe { madvise(start, length, Advice::LinuxDontFork) };
    non_null(start)
}

fn non_null(start: *mut c_void) -> Result<NonNull<u8>, Errno> {
    NonNull::new(start.cast()).ok_or(Errno::NOMEM)
}

fn full(why: &str) -> Failure {
    Failure::new(FaultReason::Busy, format!("no memory is left for keys: {why}; close some or open fewer at a time"))
}

/// Overwrites with zeros what the compiler might think nobody reads again.
///
/// # Safety
/// `length` bytes from `start` are writable and 8-aligned; `length` is a multiple of 8.
unsafe fn wipe(start: NonNull<u8>, length: usize) {
    let words = start.cast::<u64>();
    for index in 0..length / 8 {
        // SAFETY: within the range, as the caller promises.
        unsafe { words.add(index).write_volatile(0) };
    }
    compiler_fence(Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::FileExt, process::Command, sync::atomic::AtomicUsize, thread};

    use super::*;

    /// Arenas of the test's own, of both kinds where the kernel has both: nobody else takes from them.
    fn arenas() -> Vec<&'static Arena> {
        let kinds = if Kind::choose() == Kind::Secret { &[Kind::Secret, Kind::Locked][..] } else { &[Kind::Locked] };
        kinds.iter().map(|kind| &*Box::leak(Box::new(Arena::new(*kind)))).collect()
    }

    fn bytes(arena: &'static Arena, length: usize) -> SecretBytes {
        SecretBytes::zeroed_in(arena, length).unwrap()
    }

    /// How many bytes are mapped, in how many mappings.
    fn mapped(arena: &Arena) -> (usize, usize) {
        let state = arena.state();
        (state.mapped, state.mappings.len())
    }

    /// What stands where a value stood.
    fn read(address: usize, length: usize) -> Vec<u8> {
        let start = ptr::with_exposed_provenance::<u8>(address);
        // SAFETY: the callers pass what an arena of their own mapped and never unmaps, and which nobody writes.
        (0..length).map(|index| unsafe { start.add(index).read_volatile() }).collect()
    }

    #[test]
    fn what_is_given_back_is_zeros_and_is_taken_again() {
        for arena in arenas() {
            for length in [1, 31, 32, 33, 64, 1000, 4096] {
                let mut secret = bytes(arena, length);
                assert!(secret.iter().all(|byte| *byte == 0));
                secret.fill(0xa5);
                let address = secret.as_ptr().expose_provenance();
                assert_eq!(read(address, length), vec![0xa5; length]);
                drop(secret);
                assert_eq!(read(address, length), vec![0; length], "{:?}: {length}", arena.kind);
                assert_eq!(bytes(arena, length).as_ptr().addr(), address, "the same slot");
            }
        }
    }

    #[test]
    fn a_value_is_dropped_and_then_overwritten() {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        struct Key([u8; 40]);
        impl Drop for Key {
            fn drop(&mut self) {
                assert_eq!(self.0, [7; 40], "not wiped before its destructor has run");
                DROPPED.fetch_add(1, Ordering::SeqCst);
            }
        }
        for (round, arena) in arenas().into_iter().enumerate() {
            let key = SecretBox::new_in(arena, || Ok(Key([7; 40]))).unwrap();
            let address = (&raw const *key).expose_provenance();
            assert_eq!(key.0, [7; 40]);
            drop(key);
            assert_eq!(DROPPED.load(Ordering::SeqCst), round + 1);
            assert_eq!(read(address, 40), [0; 40]);
        }
    }

    #[test]
    fn a_value_that_is_not_made_takes_nothing() {
        for arena in arenas() {
            let failed = SecretBox::<[u8; 40]>::new_in(arena, || Err(full("of a test")));
            assert!(failed.is_err());
            assert_eq!(arena.state().free[1].len(), SHARED / 64, "all of 64 bytes are free");
        }
    }

    #[test]
    fn values_are_aligned_and_do_not_overlap() {
        #[repr(align(256))]
        struct Aligned(u8);
        for arena in arenas() {
            let keys: Vec<_> = (0..9).map(|number| SecretBox::new_in(arena, || Ok(Aligned(number))).unwrap()).collect();
            for (number, key) in keys.iter().enumerate() {
                assert_eq!((&raw const **key).addr() % 256, 0);
                assert_eq!(usize::from(key.0), number);
            }
            let mut secrets: Vec<_> = (0..5000).map(|index| bytes(arena, 1 + index % 300)).collect();
            for (index, secret) in secrets.iter_mut().enumerate() {
                secret.fill(index as u8);
            }
            for (index, secret) in secrets.iter().enumerate() {
                assert!(secret.iter().all(|byte| *byte == index as u8), "{index}");
            }
        }
    }

    #[test]
    fn small_values_share_mappings() {
        for arena in arenas() {
            let _keys: Vec<_> = (0..16_384).map(|_| bytes(arena, 32)).collect();
            assert_eq!(arena.state().mapped, 16_384 * 32);
        }
    }

    #[test]
    fn a_large_value_has_a_mapping_of_its_own_and_takes_it_along() {
        for arena in arenas() {
            let mut large = bytes(arena, 100_000);
            large.fill(1);
            assert_eq!(mapped(arena), (2 * SHARED, 1));
            drop(large);
            assert_eq!(mapped(arena), (0, 0));
        }
    }

    #[test]
    fn growth_ends() {
        for arena in arenas() {
            let failure = SecretBytes::zeroed_in(arena, MOST + 1).err().unwrap();
            assert_eq!(failure.reason, FaultReason::Busy);
            assert!(bytes(arena, 1).len() == 1, "what is small enough is still given");
        }
    }

    #[test]
    fn what_is_cut_off_is_zeros() {
        for arena in arenas() {
            let mut secret = bytes(arena, 20);
            secret.fill(9);
            let address = secret.as_ptr().expose_provenance();
            secret.truncate(5);
            secret.truncate(10);
            assert_eq!(*secret, [9; 5]);
            assert_eq!(read(address + 5, 15), [0; 15]);
        }
    }

    #[test]
    fn many_threads_never_share_a_slot() {
        for arena in arenas() {
            thread::scope(|scope| {
                for thread in 0..8_u8 {
                    scope.spawn(move || {
                        for round in 0..500 {
                            let mut secrets: Vec<_> = (0..8).map(|index| bytes(arena, 1 + 40 * index)).collect();
                            secrets.iter_mut().for_each(|secret| secret.fill(thread));
                            thread::yield_now();
                            let own = secrets.iter().all(|secret| secret.iter().all(|byte| *byte == thread));
                            assert!(own, "thread {thread}, round {round}");
                        }
                    });
                }
            });
        }
    }

    /// The test runs itself in a process of its own, where the variable is set.
    #[test]
    fn the_environment_forgoes_secret_memory() {
        const NAME: &str = "memory::tests::the_environment_forgoes_secret_memory";
        if std::env::var_os(CHOICE).is_some() {
            return announce();
        }
        let me = std::env::current_exe().unwrap();
        let run = Command::new(me).args(["--exact", NAME, "--nocapture"]).env(CHOICE, "mlock").output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && said.contains("locked memory (mlock)"), "{said}");
    }

    /// The point of memfd_secret(2): not even this process's own view of itself shows it.
    #[test]
    fn secret_memory_is_not_in_proc_and_locked_memory_is() {
        let memory = File::open("/proc/self/mem").unwrap();
        for arena in arenas() {
            let mut secret = bytes(arena, 32);
            secret.fill(0x77);
            let seen = memory.read_exact_at(&mut [0; 32], secret.as_ptr().addr() as u64);
            assert_eq!(seen.is_err(), arena.kind == Kind::Secret, "{:?}", arena.kind);
        }
    }
}
