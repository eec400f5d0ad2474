//! One caller that has one request in flight at a time.

use super::{Run, pace::measured_from};
use chancery_client::Client;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tonic::Request;

/// After an error, so that a service that is down is not asked as fast as the machine can.
const AFTER_ERROR: Duration = Duration::from_millis(10);

/// Calls until no more request is due.
pub(super) async fn drive(run: Arc<Run>, client: Client) {
    let mut signing = client.signing();
    while let Some(due) = run.pace.draw() {
        let waits = due > Instant::now();
        if waits {
            sleep_until(due).await;
        }
        let due = measured_from(due, waits);
        let Ok(draw) = run.requests.draw() else { return run.pace.stop() };
        let mut request = Request::new(run.requests.message(&draw));
        request.set_timeout(client.deadline());
        run.tally().started();
        match timeout_at(run.pace.give_up(), signing.sign(request)).await {
            Ok(Ok(response)) => run.tally().answered(&run.requests, &draw, due, response.get_ref()),
            Ok(Err(status)) => {
                run.failed(status.into());
                sleep(AFTER_ERROR).await;
            }
            Err(_) => run.tally().unanswered(1),
        }
    }
}
