// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationProgress;
import io.vfio4j.observe.Phase;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.jspecify.annotations.Nullable;

/** Keeps what a migration tells, and acts or throws when it enters a phase. */
final class Recorder implements MigrationListener {
    final BlockingQueue<String> listening = new ArrayBlockingQueue<>(4);
    final List<Phase> phases = Collections.synchronizedList(new ArrayList<>());
    final List<String> notices = Collections.synchronizedList(new ArrayList<>());
    volatile @Nullable Phase throwAt;
    volatile @Nullable Phase actAt;
    volatile Runnable action = () -> {};
    volatile Runnable onProgress = () -> {};
    private volatile @Nullable AssertionError failed;

    void at(Phase phase, Runnable call) {
        action = call;
        actAt = phase;
    }

    @Override
    public void onListening(String address) {
        listening.add(address);
    }

    @Override
    public void onPhase(Phase phase) {
        phases.add(phase);
        if (phase == actAt) {
            doing(action);
        }
        if (phase == throwAt) {
            throw new StackOverflowError("a listener that throws");
        }
    }

    @Override
    public void onProgress(MigrationProgress progress) {
        doing(onProgress);
    }

    /** What a listener throws has no effect on a migration, so it is kept for the test. */
    private void doing(Runnable call) {
        try {
            call.run();
        } catch (AssertionError e) {
            failed = e;
            throw e;
        }
    }

    /** Fails if something that this was to do in a call has found something wrong. */
    void assertNothingWrong() {
        AssertionError wrong = failed;
        if (wrong != null) {
            throw wrong;
        }
    }

    @Override
    public void onNotice(String text) {
        notices.add(text);
    }
}
