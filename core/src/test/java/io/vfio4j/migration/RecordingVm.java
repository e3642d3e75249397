// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** Keeps what a migration asks of a virtual machine. */
final class RecordingVm implements VirtualMachine {
    final List<String> calls = Collections.synchronizedList(new ArrayList<>());
    final List<Integer> throttles = Collections.synchronizedList(new ArrayList<>());
    final AtomicInteger prepared = new AtomicInteger();
    volatile @Nullable IOException stopFailure;
    volatile @Nullable IOException resumeFailure;

    boolean runs() {
        return calls.isEmpty() || calls.getLast().equals("resume");
    }

    @Override
    public void stop() throws IOException {
        calls.add("stop");
        IOException failure = stopFailure;
        if (failure != null) {
            throw failure;
        }
    }

    @Override
    public void resume() throws IOException {
        calls.add("resume");
        IOException failure = resumeFailure;
        if (failure != null) {
            throw failure;
        }
    }

    @Override
    public void prepare() {
        prepared.incrementAndGet();
    }

    @Override
    public void throttle(int percent) {
        throttles.add(percent);
    }
}
