// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Names a VFIO device of this host. */
public sealed interface DeviceAddress {

    /**
     * A device cdev, opened with an iommufd.
     *
     * @param name such as {@code vfio0}, of {@code /dev/vfio/devices/vfio0}
     */
    record Cdev(String name) implements DeviceAddress {
        @Override
        public String toString() {
            return "/dev/vfio/devices/" + name;
        }
    }

    /**
     * A device of a group, opened with a container.
     *
     * @param group such as {@code 42}, of {@code /dev/vfio/42}
     * @param name the device's name in the group: a PCI address or an mdev's UUID
     */
    record Grouped(String group, String name) implements DeviceAddress {
        @Override
        public String toString() {
            return "/dev/vfio/" + group + "/" + name;
        }
    }

    /**
     * A device of a bus, opened in the way that this host offers: as a cdev where it can be, else through its group.
     *
     * @param bus {@code pci} or {@code mdev}
     * @param name a PCI address or an mdev's UUID
     */
    record OnBus(String bus, String name) implements DeviceAddress {
        @Override
        public String toString() {
            return name;
        }
    }

    /**
     * A device by its folder in sysfs, opened as {@link OnBus} is.
     *
     * @param directory the folder
     */
    record Sysfs(Path directory) implements DeviceAddress {
        @Override
        public String toString() {
            return directory.toString();
        }
    }

    /** What can stand where a device is named, for messages and help. */
    String FORMS = "/dev/vfio/devices/vfioN, /dev/vfio/GROUP/NAME, a PCI address such as 0000:3b:00.1, an mdev UUID, "
            + "or a folder below /sys";

    /**
     * Reads an address as a person writes it.
     *
     * @param text one of {@link #FORMS}
     * @return the address; whether there is such a device is seen when it is opened
     * @throws IllegalArgumentException for a text of no such form; the message lists the forms
     */
    static DeviceAddress parse(String text) {
        Matcher cdev = Forms.CDEV.matcher(text);
        if (cdev.matches()) {
            return new Cdev(cdev.group(1));
        }
        Matcher grouped = Forms.GROUPED.matcher(text);
        if (grouped.matches()) {
            return new Grouped(grouped.group(1), grouped.group(2));
        }
        if (Forms.PCI.matcher(text).matches()) {
            return new OnBus("pci", text.toLowerCase(Locale.ROOT));
        }
        if (Forms.UUID.matcher(text).matches()) {
            return new OnBus("mdev", text.toLowerCase(Locale.ROOT));
        }
        if (text.startsWith("/sys/")) {
            return new Sysfs(Path.of(text));
        }
        throw new IllegalArgumentException("'" + text + "' names no VFIO device; use " + FORMS);
    }

    /** The patterns of {@link #parse}. */
    final class Forms {
        private static final Pattern CDEV = Pattern.compile("/dev/vfio/devices/((?:noiommu-)?vfio\\d+)");
        private static final Pattern GROUPED = Pattern.compile("/dev/vfio/(\\d+)/([^/]+)");
        private static final Pattern PCI = Pattern.compile("(?i)[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]");
        private static final Pattern UUID =
                Pattern.compile("(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");

        private Forms() {}
    }
}
