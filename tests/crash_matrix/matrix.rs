//! The matrix itself: how many cycles of which level, in how much time, and what came of them.

use crate::{
    lower,
    plan::{LOG, Plan, SERVICE},
    random::Random,
    service,
    table::{Table, Tally},
};
use std::{
    any::Any,
    env, fs,
    io::{Write, stderr},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Crashes that one log, or one deployment, lives through.
const LIFE: u64 = 20;

struct Matrix {
    log: u64,
    service: u64,
    seed: u64,
    until: Instant,
    done: AtomicU64,
    table: Mutex<Table>,
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// Past the test harness, which holds prints back.
fn tell(text: &str) {
    let _ = stderr().write_all(format!("{text}\n").as_bytes());
}

/// Kills of both levels at once. The full matrix takes CRASH_MATRIX_LOG_KILLS and so on from `make crash-matrix`.
#[test]
fn what_was_released_is_in_the_log_after_every_crash() {
    let seed = number("CRASH_MATRIX_SEED", 5);
    let minutes = number("CRASH_MATRIX_MINUTES", 10);
    let matrix = Matrix {
        log: number("CRASH_MATRIX_LOG_KILLS", 200),
        service: number("CRASH_MATRIX_SERVICE_KILLS", 30),
        seed,
        until: Instant::now() + Duration::from_secs(minutes * 60),
        done: AtomicU64::new(0),
        table: Mutex::default(),
    };
    tell(&format!("crash matrix: {} kills, seed {seed}", matrix.log + matrix.service));
    let results = thread::scope(|scope| {
        let service = scope.spawn(|| matrix.run(matrix.service, Matrix::life_of_the_service));
        let log = scope.spawn(|| matrix.run(matrix.log, Matrix::life_of_a_log));
        [service.join(), log.join()]
    });
    let table = matrix.table.lock().unwrap();
    let total = table.total(None);
    let complete = total.cycles == matrix.log + matrix.service;
    tell(&table.text());
    let json = table.json(seed, complete);
    // Beside the folder of temporary files for tests: target/.
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("crash-matrix.json");
    fs::write(&file, format!("{json:#}\n")).unwrap();
    for result in results {
        result.unwrap_or_else(|problem| resume_unwind(problem));
    }
    assert!(complete, "only {} kills in {minutes} minutes (CRASH_MATRIX_MINUTES)", total.cycles);
    assert!(total.lost == 0 && total.released > 0 && total.reached > total.cycles / 3);
}

impl Matrix {
    /// Lives, one after the other, until it is enough.
    fn run(&self, kills: u64, life: fn(&Self, u64, u64)) {
        let mut number = 0;
        while number < kills && Instant::now() < self.until {
            let length = LIFE.min(kills - number);
            let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(number);
            life(self, seed, length);
            number += length;
        }
    }

    fn life_of_a_log(&self, seed: u64, length: u64) {
        let mut random = Random(seed);
        let mut life = lower::Life::new(seed);
        let mut last: Option<Plan> = None;
        for _ in 0..length {
            let plan = Plan::random(&LOG, &mut random);
            let result = catch_unwind(AssertUnwindSafe(|| life.cycle(&plan)));
            let (found, reached) = self.judge("log", seed, last.as_ref(), &plan, result);
            self.note("log", last.as_ref(), found, &plan, reached);
            last = Some(plan);
        }
        if let Some(last) = &last {
            let found = catch_unwind(AssertUnwindSafe(|| life.end()));
            let found = self.judge("log", seed, Some(last), last, found);
            self.table.lock().unwrap().add("log", last, found);
        }
    }

    fn life_of_the_service(&self, seed: u64, length: u64) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut random = Random(seed);
        let mut life = runtime.block_on(service::Life::new(seed));
        let mut last: Option<Plan> = None;
        for _ in 0..length {
            let mut plan = Plan::random(&SERVICE, &mut random);
            // Two starts in a row that end in a login are as a refused PIN: the third does not try it.
            while plan.at_start && last.as_ref().is_none_or(|last| last.at_start) {
                plan = Plan::random(&SERVICE, &mut random);
            }
            let result = catch_unwind(AssertUnwindSafe(|| runtime.block_on(life.cycle(&plan))));
            if result.is_err() {
                tell(&life.said());
            }
            let (found, reached) = self.judge("service", seed, last.as_ref(), &plan, result);
            self.note("service", last.as_ref(), found, &plan, reached);
            last = Some(plan);
        }
        if let Some(last) = &last {
            let found = catch_unwind(AssertUnwindSafe(|| runtime.block_on(life.end())));
            let found = self.judge("service", seed, Some(last), last, found);
            self.table.lock().unwrap().add("service", last, found);
        }
    }

    /// What a cycle gave; or the crash before it lost something, which is told with what is needed to try it again.
    fn judge<T>(
        &self,
        level: &'static str,
        seed: u64,
        last: Option<&Plan>,
        plan: &Plan,
        result: Result<T, Box<dyn Any + Send>>,
    ) -> T {
        result.unwrap_or_else(|problem| {
            tell(&format!("{level}, life with seed {seed} (CRASH_MATRIX_SEED={})", self.seed));
            tell(&format!("after {last:?}\nin {plan:?}"));
            self.table.lock().unwrap().add(level, last.unwrap_or(plan), Tally { lost: 1, ..Tally::default() });
            resume_unwind(problem)
        })
    }

    /// What a start finds speaks of the crash before it.
    fn note(&self, level: &'static str, last: Option<&Plan>, found: Tally, plan: &Plan, reached: bool) {
        let mut table = self.table.lock().unwrap();
        if let Some(last) = last {
            table.add(level, last, found);
        }
        table.add(level, plan, Tally { cycles: 1, reached: u64::from(reached), ..Tally::default() });
        drop(table);
        let (done, all) = (self.done.fetch_add(1, Ordering::Relaxed) + 1, self.log + self.service);
        if done % (all / 20).max(1) == 0 {
            tell(&format!("crash matrix: {done} of {all}"));
        }
    }
}
