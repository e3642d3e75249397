// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

/** What is compared of a migration. */
enum Metric {
    /** How fast state goes while the devices run; into a file, how fast all of it is on disk. */
    RATE("MiB/s") {
        @Override
        double of(Measurement m) {
            boolean toFile = m.scenario().route().isFile();
            long bytes = m.preCopyBytes() + (toFile ? m.stopCopyBytes() : 0);
            long nanos = m.preCopyNanos() + (toFile ? Math.max(0, m.downtimeNanos()) : 0);
            return m.preCopyNanos() > 0 ? bytes / MEBIBYTE / (nanos / NANOS) : Double.NaN;
        }
    },
    /** How long the devices do not run at either side. */
    DOWNTIME("ms") {
        @Override
        double of(Measurement m) {
            return m.downtimeNanos() >= 0 && !m.scenario().route().isFile() ? m.downtimeNanos() / 1e6 : Double.NaN;
        }
    },
    /** What the source computes for a GiB. */
    SOURCE_CPU("CPU s/GiB, source") {
        @Override
        double of(Measurement m) {
            return perGibibyte(m, m.sourceCpuNanos());
        }
    },
    /** What the destination computes for a GiB. */
    DESTINATION_CPU("CPU s/GiB, destination") {
        @Override
        double of(Measurement m) {
            return perGibibyte(m, m.destinationCpuNanos());
        }
    },
    /** The most memory of the source. */
    SOURCE_MEMORY("peak MiB, source") {
        @Override
        double of(Measurement m) {
            return m.sourcePeakBytes() > 0 ? m.sourcePeakBytes() / MEBIBYTE : Double.NaN;
        }
    },
    /** The most memory of the destination. */
    DESTINATION_MEMORY("peak MiB, destination") {
        @Override
        double of(Measurement m) {
            return m.destinationPeakBytes() > 0 ? m.destinationPeakBytes() / MEBIBYTE : Double.NaN;
        }
    };

    private static final double MEBIBYTE = 1 << 20;
    private static final double NANOS = 1e9;

    private final String label;

    Metric(String label) {
        this.label = label;
    }

    /** Its value, or NaN when it is not known. */
    abstract double of(Measurement measurement);

    private static double perGibibyte(Measurement m, long cpuNanos) {
        long bytes = m.preCopyBytes() + m.stopCopyBytes();
        return cpuNanos >= 0 && bytes > 0 ? cpuNanos / NANOS / (bytes / MEBIBYTE / 1024) : Double.NaN;
    }

    @Override
    public String toString() {
        return label;
    }
}
