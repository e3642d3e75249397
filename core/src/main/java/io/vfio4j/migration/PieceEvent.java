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

/** JFR, only where it is asked for: a piece of a handler's state has been sent or loaded */
@Name("io.vfio4j.Piece")
@Label("Piece of State")
@Category("vfio4j")
@Description("a piece of a handler's state has been sent or loaded")
@StackTrace(false)
@Enabled(false)
final class PieceEvent extends Event {
    @Label("Handler")
    @Nullable
    String handler;

    @Label("Bytes")
    @DataAmount
    long bytes;

    @Label("Sent")
    boolean sent;

    static void record(String handler, int bytes, boolean sent) {
        PieceEvent event = new PieceEvent();
        event.handler = handler;
        event.bytes = bytes;
        event.sent = sent;
        event.commit();
    }
}
