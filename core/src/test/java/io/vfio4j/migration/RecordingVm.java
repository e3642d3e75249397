// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** Keeps what a migration asks of a virtual machine, and throws what it is told to. */
final class RecordingVm implements VirtualMachine {
    final List<String> calls = Collections.synchronizedList(new ArrayList<>());
    final List<Integer> throttles = Collections.synchronizedList(new ArrayList<>());
    final AtomicInteger prepared = new AtomicInteger();
    /** What the guest does when it is to stop and to run. */
    volatile Runnable atStop = () -> {};

    volatile Runnable atResume = () -> {};
    volatile @Nullable Throwable prepareFailure;
    volatile @Nullable Throwable throttleFailure;
    volatile @Nullable Throwable stopFailure;
    volatile @Nullable Throwable resumeFailure;

    boolean runs() {
        return calls.isEmpty() || calls.getLast().equals("resume");
    }

    @Override
    public void stop() throws IOException {
        calls.add("stop");
        atStop.run();
        fail(stopFailure);
    }

    @Override
    public void resume() throws IOException {
        calls.add("resume");
        atResume.run();
        fail(resumeFailure);
    }

    @Override
    public void prepare() throws IOException {
        prepared.incrementAndGet();
        fail(prepareFailure);
    }

    @Override
    public void throttle(int percent) throws IOException {
        throttles.add(percent);
        fail(throttleFailure);
    }

    private static void fail(@Nullable Throwable failure) throws IOException {
        switch (failure) {
            case null -> {}
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalArgumentException("no virtual machine throws this", failure);
        }
    }
}
