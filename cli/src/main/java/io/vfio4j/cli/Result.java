// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.bench.DowntimePart;
import io.vfio4j.migration.MigrationLimits;
import io.vfio4j.observe.Downtime;
import io.vfio4j.observe.HandlerLoadReport;
import io.vfio4j.observe.HandlerReport;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationReport;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a command found out: the fields of its JSON object, and the lines of its table. */
final class Result {
    private static final String DEVICE_ROW = "%-12s %12s %12s %14s %12s %12s %12s";
    private static final String LOADED_ROW = "%-12s %12s %12s %14s %12s";

    private final Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    private final List<Map<String, @Nullable Object>> devices = new ArrayList<>();
    private final List<String> table = new ArrayList<>();
    private final List<String> details = new ArrayList<>();
    private ExitCode exit = ExitCode.OK;

    Result(String command) {
        fields.put("command", command);
        // These two come first and are known last.
        fields.put("outcome", null);
        fields.put("exitCode", null);
    }

    void field(String name, @Nullable Object value) {
        fields.put(name, value);
    }

    /** Names the devices of each side, as they were named; that of a lone one is a field of the whole, too. */
    void devices(String side, List<DeviceName> names) {
        for (int i = 0; i < names.size(); i++) {
            if (devices.size() == i) {
                Map<String, @Nullable Object> device = new LinkedHashMap<>();
                device.put("name", nameOf(i));
                devices.add(device);
            }
            devices.get(i).put(side, names.get(i).toString());
        }
        if (names.size() == 1) {
            fields.put(side, names.getFirst().toString());
        }
        fields.put("devices", devices);
    }

    /** What ties a device to the one at the other side. */
    static String nameOf(int index) {
        return "device" + index;
    }

    /** A field of one device; that of a lone one is a field of the whole, too. */
    void deviceField(int index, String name, @Nullable Object value) {
        devices.get(index).put(name, value);
        if (devices.size() == 1) {
            fields.put(name, value);
        }
    }

    void line(String line) {
        table.add(line);
    }

    /** A line that is shown only when the command fails, below its error. */
    void detail(String line) {
        details.add(line);
    }

    void exit(ExitCode code) {
        exit = code;
    }

    ExitCode exit() {
        return exit;
    }

    List<String> table() {
        return table;
    }

    List<String> details() {
        return details;
    }

    String json(@Nullable Failure failure) {
        fields.put(
                "outcome",
                switch (exit) {
                    case OK -> "completed";
                    case CANCELLED -> "cancelled";
                    case IN_DOUBT -> "inDoubt";
                    case DIFFERENT -> "different";
                    case MISSED -> "missed";
                    default -> "failed";
                });
        fields.put("exitCode", exit.code());
        if (failure != null) {
            Map<String, Object> error = new LinkedHashMap<>();
            error.put("reason", failure.reason());
            error.put("message", failure.message());
            error.put("details", failure.details());
            fields.put("error", error);
        }
        return Json.write(fields);
    }

    /** Takes in what an outgoing migration did. */
    void report(MigrationReport report, MigrationLimits limits) {
        Downtime downtime = report.downtime();
        fields.put("preCopyBytes", report.preCopyBytes());
        fields.put("stopCopyBytes", report.stopCopyBytes());
        fields.put("totalBytes", report.totalBytes());
        fields.put("rounds", report.rounds());
        fields.put("preCopyNanos", report.preCopyNanos());
        fields.put("totalNanos", report.totalNanos());
        fields.put("linkBytesPerSecond", report.preCopyBytesPerSecond());
        fields.put("downtimeLimitNanos", limits.downtimeLimit().toNanos());
        fields.put(
                "predictedDowntimeNanos", report.predictedDowntimeNanos() < 0 ? null : report.predictedDowntimeNanos());
        fields.put("downtimeNanos", downtime.total());
        Downtime predicted = report.predicted();
        fields.put("downtime", fields(downtime));
        fields.put("predictedDowntime", predicted == null ? null : fields(predicted));

        String rounds = report.rounds() == 1 ? "in 1 round" : "in " + report.rounds() + " rounds";
        table.add(String.format(Locale.ROOT, "%-12s %12s %12s %14s", "", "bytes", "time", "rate"));
        if (report.rounds() > 0) {
            table.add(row("pre-copy", report.preCopyBytes(), report.preCopyNanos()) + "   " + rounds);
        }
        table.add(row("stop-copy", report.stopCopyBytes(), downtime.drain()));
        table.add(row("total", report.totalBytes(), report.totalNanos()));
        table.add("");
        downtimeTable(report, limits);
        devices(report.handlers());
    }

    /** The parts of a downtime, by what they are called in JSON. */
    static Map<String, Object> fields(Downtime downtime) {
        Map<String, Object> parts = new LinkedHashMap<>();
        for (DowntimePart part : DowntimePart.values()) {
            parts.put(part.field() + "Nanos", part.nanos(downtime));
        }
        return parts;
    }

    private void devices(List<HandlerReport> handlers) {
        for (int i = 0; i < devices.size(); i++) {
            HandlerReport handler = handlers.get(i);
            Map<String, @Nullable Object> device = devices.get(i);
            device.put("preCopyBytes", handler.preCopyBytes());
            device.put("stopCopyBytes", handler.stopCopyBytes());
            device.put("rounds", handler.rounds());
            device.put("linkBytesPerSecond", handler.bytesPerSecond());
            device.put("stalledNanos", handler.stalledNanos());
            device.put("setupNanos", handler.setupNanos());
            device.put("preCopyNanos", handler.preCopyNanos());
            device.put("quiesceNanos", handler.quiesceNanos());
            device.put("stopCopyNanos", handler.stopNanos());
            device.put("drainNanos", handler.drainNanos());
        }
        if (devices.size() > 1) {
            table.add("");
            table.add(String.format(
                    Locale.ROOT, DEVICE_ROW, "", "pre-copy", "stop-copy", "rate", "quiesce", "stop-copy", "drain"));
            handlers.forEach(handler -> table.add(String.format(
                    Locale.ROOT,
                    DEVICE_ROW,
                    handler.name(),
                    Format.bytes(handler.preCopyBytes()),
                    Format.bytes(handler.stopCopyBytes()),
                    Format.bytes(handler.bytesPerSecond()) + "/s",
                    Format.time(handler.quiesceNanos()),
                    Format.time(handler.stopNanos()),
                    Format.time(handler.drainNanos()))));
        }
    }

    private void downtimeTable(MigrationReport report, MigrationLimits limits) {
        Downtime prediction = report.predicted();
        // The sum of the rounded parts, so that who adds them up finds them right.
        long total = 0;
        for (DowntimePart part : DowntimePart.values()) {
            total += Format.micros(part.nanos(report.downtime()));
        }
        String predicted = report.predictedDowntimeNanos() < 0
                ? "not predicted"
                : "predicted " + Format.roughTime(report.predictedDowntimeNanos());
        table.add(duration("downtime", total) + "   " + predicted + ", limit "
                + Format.roughTime(limits.downtimeLimit().toNanos()));
        for (DowntimePart part : DowntimePart.values()) {
            table.add(duration("  " + part.label(), Format.micros(part.nanos(report.downtime())))
                    + (prediction == null ? "" : "   predicted " + Format.roughTime(part.nanos(prediction))));
        }
    }

    /** Takes in what an incoming migration did. */
    void report(LoadReport report) {
        fields.put("loadedBytes", report.bytes());
        fields.put("receiveNanos", report.receiveNanos());
        fields.put("loadNanos", report.loadNanos());
        fields.put("resumeNanos", report.resumeNanos());
        for (HandlerLoadReport handler : report.handlers()) {
            // In the source's order, which may be another one than this side's.
            devices.stream()
                    .filter(device -> handler.name().equals(device.get("name")))
                    .forEach(device -> put(handler, device));
        }
    }

    private static void put(HandlerLoadReport handler, Map<String, @Nullable Object> device) {
        device.put("loadedBytes", handler.bytes());
        device.put("rehearsalNanos", handler.rehearsalNanos());
        device.put("loadNanos", handler.loadNanos());
        device.put("runningP2pNanos", handler.runningP2pNanos());
        device.put("runningNanos", handler.runningNanos());
    }

    /** The table of a command that has only the destination to tell of. */
    void loadTable(LoadReport report) {
        table.add(String.format(Locale.ROOT, "%-12s %12s %12s %14s", "", "bytes", "time", "rate"));
        table.add(row("received", report.bytes(), report.receiveNanos()));
        table.add("");
        table.add(duration("load", Format.micros(report.loadNanos())));
        table.add(duration("resume", Format.micros(report.resumeNanos())));
        if (devices.size() > 1) {
            table.add("");
            table.add(String.format(Locale.ROOT, LOADED_ROW, "", "received", "load", "RUNNING_P2P", "RUNNING"));
            report.handlers()
                    .forEach(handler -> table.add(String.format(
                            Locale.ROOT,
                            LOADED_ROW,
                            handler.name(),
                            Format.bytes(handler.bytes()),
                            Format.time(handler.loadNanos()),
                            Format.time(handler.runningP2pNanos()),
                            Format.time(handler.runningNanos()))));
        }
    }

    private static String row(String name, long bytes, long nanos) {
        return String.format(
                Locale.ROOT,
                "%-12s %12s %12s %14s",
                name,
                Format.bytes(bytes),
                Format.time(nanos),
                Format.rate(bytes, nanos));
    }

    private static String duration(String name, long micros) {
        return String.format(Locale.ROOT, "%-12s %12s %12s", name, "", Format.millisOfMicros(micros));
    }
}
