// SPDX-License-Identifier: Apache-2.0
import org.jspecify.annotations.NullMarked;

/** Live migration of VFIO devices: devices, buffers, the stream, transports and the migration itself. */
@NullMarked
module io.vfio4j.core {
    requires jdk.jfr;
    requires static transitive org.jspecify;
    requires transitive io.vfio4j.ffm;

    exports io.vfio4j.buffer;
    exports io.vfio4j.device;
    exports io.vfio4j.dirty;
    exports io.vfio4j.migration;
    exports io.vfio4j.migration.handler;
    exports io.vfio4j.observe;
    exports io.vfio4j.stream;
    exports io.vfio4j.transport;
}
