// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/** JFR: the dirty pages of guest memory have been collected */
@Name("io.vfio4j.DirtyMemory")
@Label("Dirty Memory")
@Category("vfio4j")
@Description("the dirty pages of guest memory have been collected")
@StackTrace(false)
final class DirtyMemoryEvent extends Event {
    @Label("Collection")
    int collection;

    @Label("Bytes")
    @DataAmount
    long bytes;

    @Label("Since Last")
    @Timespan(Timespan.NANOSECONDS)
    long sinceLast;

    @Label("Bytes per Second")
    @DataAmount
    long bytesPerSecond;

    @Label("Everything")
    boolean everything;

    static void record(int collection, long bytes, long sinceLast, long bytesPerSecond, boolean everything) {
        DirtyMemoryEvent event = new DirtyMemoryEvent();
        event.collection = collection;
        event.bytes = bytes;
        event.sinceLast = sinceLast;
        event.bytesPerSecond = bytesPerSecond;
        event.everything = everything;
        event.commit();
    }
}
