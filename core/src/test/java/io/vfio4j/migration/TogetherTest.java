// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.ffm.LibC;
import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Handlers that meet in each step: were one to wait for the end of another's, none would come to an end. */
@ExtendWith(LeakCheck.class)
class TogetherTest {
    private static final int HANDLERS = 4;
    private static final long MOST_SECONDS = 60;

    @TempDir
    private Path folder;

    /** Where all handlers of a side have to be at the same time. */
    private static final class Meeting {
        private final CyclicBarrier barrier = new CyclicBarrier(HANDLERS);
        private final List<String> steps = Collections.synchronizedList(new ArrayList<>());

        void at(String step) throws IOException {
            try {
                if (barrier.await(MOST_SECONDS, TimeUnit.SECONDS) == 0) {
                    steps.add(step);
                }
            } catch (InterruptedException | BrokenBarrierException | TimeoutException e) {
                throw new IOException("not all handlers came to " + step, e);
            }
        }
    }

    /** Meets the others in all that can take long. */
    private static final class Meeter extends TextHandler {
        private final Meeting meeting;
        private boolean sent;

        Meeter(int number, Meeting meeting) {
            super("text" + number, "hello");
            this.meeting = meeting;
        }

        @Override
        public void prepare() throws IOException {
            meeting.at("prepare");
        }

        @Override
        public void saveSetup() throws IOException {
            meeting.at("saveSetup");
        }

        @Override
        public boolean iterates() {
            return true;
        }

        @Override
        public void pending(long thresholdBytes, Precision precision, Pending pending) {
            pending.requiredBytes(sent ? 0 : 1);
        }

        @Override
        public boolean iterate(StateOutput out) throws IOException {
            if (sent) {
                return false;
            }
            meeting.at("iterate");
            sent = true;
            super.complete(out);
            return true;
        }

        @Override
        public void quiesce() throws IOException {
            meeting.at("quiesce");
        }

        @Override
        public void stop() throws IOException {
            meeting.at("stop");
        }

        @Override
        public void complete(StateOutput out) throws IOException {
            meeting.at("complete");
            super.complete(out);
        }

        @Override
        public void release() throws IOException {
            meeting.at("release");
        }

        @Override
        public Rehearsal rehearse() throws IOException {
            meeting.at("rehearse");
            return Rehearsal.NOTHING;
        }

        @Override
        public void loadSetup() throws IOException {
            meeting.at("loadSetup");
        }

        @Override
        public void switchoverStart() throws IOException {
            meeting.at("switchoverStart");
        }

        @Override
        public void loadFinish() throws IOException {
            meeting.at("loadFinish");
        }

        @Override
        public void resumeQuiesced() throws IOException {
            meeting.at("resumeQuiesced");
        }

        @Override
        public void resume() throws IOException {
            meeting.at("resume");
        }
    }

    private static List<Meeter> handlers(Meeting meeting) {
        List<Meeter> handlers = new ArrayList<>();
        for (int i = 0; i < HANDLERS; i++) {
            handlers.add(new Meeter(i, meeting));
        }
        return handlers;
    }

    @Test
    void shouldDoEachStepOfAllHandlersAtTheSameTime() throws Exception {
        Meeting source = new Meeting();
        Meeting destination = new Meeting();

        new TwoSides(LibC.system(), folder)
                .migrate(handlers(source), handlers(destination), MigrationParameters.DEFAULT)
                .completed();

        assertThat(source.steps)
                .containsExactly("prepare", "saveSetup", "iterate", "quiesce", "stop", "complete", "release");
        assertThat(destination.steps)
                .containsExactly(
                        "prepare",
                        "rehearse",
                        "loadSetup",
                        "switchoverStart",
                        "loadFinish",
                        "resumeQuiesced",
                        "resume");
    }

    @Test
    void shouldTakeAllHandlersBackAtTheSameTime() throws Exception {
        Meeting source = new Meeting();
        Meeting destination = new Meeting();
        TwoSides sides = new TwoSides(LibC.system(), folder);
        sides.sourceVm.stopFailure = new IOException("no stop");

        sides.migrate(handlers(source), handlers(destination), MigrationParameters.DEFAULT)
                .failed();

        assertThat(source.steps).containsExactly("prepare", "saveSetup", "iterate", "resumeQuiesced", "resume");
        assertThat(sides.sourceVm.calls).containsExactly("stop", "resume");
    }
}
