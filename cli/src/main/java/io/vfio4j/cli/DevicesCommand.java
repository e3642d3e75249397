// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioHost.ListedDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Lists devices, or looks at some more closely. */
@Command(
        name = "devices",
        description =
                "Lists the devices that are bound to a VFIO driver; opens those that are named and shows what they "
                        + "can do.",
        footer = {
            "",
            "Examples:",
            "  vfio4j devices",
            "  vfio4j devices --json",
            "  vfio4j devices 0000:3b:00.1 /dev/vfio/devices/vfio0 emulated:size=1GiB"
        })
final class DevicesCommand extends ReportingCommand {
    @Parameters(
            paramLabel = "DEVICE",
            arity = "0..*",
            converter = Converters.OfDevice.class,
            description = "A device to open.")
    List<DeviceName> names = new ArrayList<>();

    DevicesCommand(Environment environment) {
        super(environment);
    }

    @Override
    void run(Result result, ProgressPrinter progress) throws IOException {
        List<Map<String, @Nullable Object>> found = new ArrayList<>();
        // Before the first is opened: what was found until one fails is told all the same.
        result.field("devices", found);
        try (Devices devices = environment.devices().get()) {
            if (names.isEmpty()) {
                list(devices, result, found, progress);
            }
            for (DeviceName name : names) {
                try (Devices.Opened device = devices.open(name)) {
                    probe(device, result, found);
                }
            }
        }
    }

    private static void list(
            Devices devices, Result result, List<Map<String, @Nullable Object>> found, ProgressPrinter progress)
            throws IOException {
        List<ListedDevice> listed = devices.list();
        if (listed.isEmpty()) {
            progress.say(
                    "no device of this host is bound to a VFIO driver; emulated:size=SIZE,dirty=RATE works anywhere");
        }
        for (ListedDevice device : listed) {
            List<String> ways = device.ways().stream().map(Object::toString).toList();
            result.line(device.name() + "  " + device.identity().type() + "  "
                    + device.identity().driver() + "  " + String.join(" ", ways));
            Map<String, @Nullable Object> entry = new LinkedHashMap<>();
            entry.put("name", device.name());
            entry.put("type", device.identity().type());
            entry.put("driver", device.identity().driver());
            entry.put("ways", ways);
            found.add(entry);
        }
    }

    private static void probe(Devices.Opened opened, Result result, List<Map<String, @Nullable Object>> found) {
        VfioDevice device = opened.vfio();
        String state = opened.state();
        long length = device.stopCopyLength();
        boolean known = length != VfioDevice.UNKNOWN_STOP_COPY_LENGTH;
        result.line(opened.name());
        result.line(row("type", device.identity().type()));
        result.line(row("driver", device.identity().driver()));
        result.line(row("migration", device.features().toString()));
        result.line(row("state", state));
        result.line(row("stop-copy", known ? Format.bytes(length) + " (" + length + " bytes)" : "unknown"));
        Map<String, @Nullable Object> entry = new LinkedHashMap<>();
        entry.put("name", opened.name());
        entry.put("type", device.identity().type());
        entry.put("driver", device.identity().driver());
        entry.put("stopCopy", device.features().stopCopy());
        entry.put("p2p", device.features().p2p());
        entry.put("preCopy", device.features().preCopy());
        entry.put("state", state);
        entry.put("stopCopyBytes", known ? length : null);
        found.add(entry);
    }

    private static String row(String name, String value) {
        return String.format(Locale.ROOT, "  %-10s %s", name, value);
    }
}
