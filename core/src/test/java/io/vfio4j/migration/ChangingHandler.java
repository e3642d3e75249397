// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;

/** Text that goes while the virtual machine runs, over and over. */
class ChangingHandler extends TextHandler {
    final AtomicInteger iterations = new AtomicInteger();

    ChangingHandler(String name) {
        super(name, "always new");
    }

    @Override
    public boolean iterates() {
        return true;
    }

    @Override
    public void pending(long thresholdBytes, Precision precision, Pending pending) {
        pending.preCopyBytes(Long.MAX_VALUE / 4);
    }

    @Override
    public boolean iterate(StateOutput out) throws IOException {
        iterations.incrementAndGet();
        complete(out);
        return true;
    }
}
