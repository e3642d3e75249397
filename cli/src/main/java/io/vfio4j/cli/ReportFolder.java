// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.OutgoingOptions.BadValue;
import io.vfio4j.cli.bench.Arc;
import io.vfio4j.cli.bench.DowntimePart;
import io.vfio4j.cli.bench.Findings;
import io.vfio4j.cli.bench.HistogramLog;
import io.vfio4j.transport.TransportException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.HdrHistogram.Histogram;

/** The folder that a report is written to. It is made before the measurement, so that this does not fail at its end. */
final class ReportFolder {
    private static final String OPTION = "--out";
    private static final String ALLOWED = "a folder that can be made, or an empty one";
    private static final String ARCS = "arcs.hlog";
    private static final String DOWNTIME = "downtime.hlog";
    private static final String PAGE = "report.html";

    private final Path folder;
    private final boolean made;

    private ReportFolder(Path folder, boolean made) {
        this.folder = folder;
        this.made = made;
    }

    /** Makes the folder, or takes an empty one; anything else is refused, so that nothing is overwritten. */
    static ReportFolder prepare(Path folder) {
        boolean exists = Files.exists(folder);
        try {
            if (exists) {
                requireEmpty(folder);
            } else {
                Files.createDirectories(folder);
            }
        } catch (NotDirectoryException | FileAlreadyExistsException e) {
            throw new BadValue(OPTION, "'" + e.getMessage() + "' is not a folder", ALLOWED);
        } catch (AccessDeniedException e) {
            throw new BadValue(OPTION, "'" + e.getMessage() + "' must not be written to", ALLOWED);
        } catch (IOException e) {
            throw new BadValue(OPTION, "'" + folder + "' cannot be made or read: " + Failure.message(e), ALLOWED);
        }
        if (!Files.isWritable(folder)) {
            throw new BadValue(OPTION, "'" + folder + "' must not be written to", ALLOWED);
        }
        return new ReportFolder(folder, !exists);
    }

    private static void requireEmpty(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new NotDirectoryException(folder.toString());
        }
        try (Stream<Path> files = Files.list(folder)) {
            if (files.findAny().isPresent()) {
                throw new BadValue(OPTION, "'" + folder + "' is not empty", ALLOWED);
            }
        }
    }

    /**
     * Writes the report and the histograms, all or none.
     *
     * @throws TransportException when the disk is full, say
     */
    void write(Findings findings, Instant begin, Instant end) throws TransportException {
        try {
            HistogramLog.write(
                    folder.resolve(ARCS),
                    "vfio4j bench " + findings.device() + ": arcs, in nanoseconds",
                    begin,
                    end,
                    arcs(findings));
            HistogramLog.write(
                    folder.resolve(DOWNTIME),
                    "vfio4j bench " + findings.device() + ": downtime, in nanoseconds",
                    begin,
                    end,
                    downtime(findings));
            Files.writeString(
                    folder.resolve(PAGE), new BenchPage(findings, begin).html(), StandardOpenOption.CREATE_NEW);
        } catch (IOException e) {
            TransportException failure = new TransportException(
                    TransportException.Problem.FAILED,
                    folder + ": the report cannot be written: " + Failure.message(e),
                    e);
            for (String file : new String[] {ARCS, DOWNTIME, PAGE}) {
                try {
                    Files.deleteIfExists(folder.resolve(file));
                } catch (IOException left) {
                    failure.addSuppressed(left);
                }
            }
            throw failure;
        }
    }

    /** Takes away the folder that was made, if nothing has come into it. */
    void removeIfUnused() {
        if (made) {
            try {
                Files.deleteIfExists(folder);
            } catch (IOException e) {
                // It is not empty, or somebody else has taken it away.
                return;
            }
        }
    }

    private static Map<String, Histogram> arcs(Findings findings) {
        Map<String, Histogram> histograms = new LinkedHashMap<>();
        for (Map.Entry<Arc, Histogram> arc : findings.arcs().histograms().entrySet()) {
            histograms.put(arc.getKey().tag(), arc.getValue());
        }
        return histograms;
    }

    private static Map<String, Histogram> downtime(Findings findings) {
        Map<String, Histogram> histograms = new LinkedHashMap<>();
        histograms.put("downtime", findings.downtime());
        for (DowntimePart part : DowntimePart.values()) {
            histograms.put(part.label().replace(' ', '-'), findings.downtime(part));
        }
        return histograms;
    }
}
