// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** JFR: the memory that a handler's state goes through */
@Name("io.vfio4j.Buffers")
@Label("Buffers of a Handler")
@Category("vfio4j")
@Description("the memory that a handler's state goes through")
@StackTrace(false)
final class BuffersEvent extends Event {
    @Label("Handler")
    @Nullable
    String handler;

    @Label("Buffers")
    int buffers;

    @Label("Bytes of Each")
    @DataAmount
    long bytesEach;

    static void record(String handler, BufferPool pool) {
        BuffersEvent event = new BuffersEvent();
        event.handler = handler;
        event.buffers = pool.count();
        event.bytesEach = pool.capacity();
        event.commit();
    }
}
