// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** JFR, only where it is asked for: what a handler says is left */
@Name("io.vfio4j.Pending")
@Label("Pending Bytes")
@Category("vfio4j")
@Description("what a handler says is left")
@StackTrace(false)
@Enabled(false)
final class PendingEvent extends Event {
    @Label("Handler")
    @Nullable
    String handler;

    @Label("Precision")
    @Nullable
    String precision;

    @Label("Threshold")
    @DataAmount
    long thresholdBytes;

    @Label("Required before the Switchover")
    @DataAmount
    long requiredBytes;

    @Label("For Pre-copy")
    @DataAmount
    long preCopyBytes;

    @Label("For the Downtime")
    @DataAmount
    long stoppedBytes;

    @Label("For after the Switchover")
    @DataAmount
    long laterBytes;

    @Label("Acknowledgements Wanted")
    int acksWanted;

    static void record(String handler, long thresholdBytes, StateHandler.Precision precision, Pending pending) {
        PendingEvent event = new PendingEvent();
        event.handler = handler;
        event.precision = precision.name();
        event.thresholdBytes = thresholdBytes;
        event.requiredBytes = pending.requiredBytes();
        event.preCopyBytes = pending.preCopyBytes();
        event.stoppedBytes = pending.stoppedBytes();
        event.laterBytes = pending.laterBytes();
        event.acksWanted = pending.acksWanted();
        event.commit();
    }
}
