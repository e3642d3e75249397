// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/** JFR: a switchover, with the parts of its downtime */
@Name("io.vfio4j.Switchover")
@Label("Switchover")
@Category("vfio4j")
@Description("a switchover, with the parts of its downtime")
@StackTrace(false)
final class SwitchoverEvent extends Event {
    @Label("Predicted Downtime")
    @Timespan
    long predicted;

    @Label("Downtime")
    @Timespan
    long downtime;

    @Label("Stop of the Virtual Machine")
    @Timespan
    long stopVm;

    @Label("Quiesce")
    @Timespan
    long quiesce;

    @Label("Stop")
    @Timespan
    long stopCopy;

    @Label("Drain")
    @Timespan
    long drain;

    @Label("Load")
    @Timespan
    long load;

    @Label("Resume")
    @Timespan
    long resume;
}
