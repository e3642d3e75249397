// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What two devices must have in common for one's state to be loaded into the other, as far as it can be known before.
 *
 * <p>The kernel's stream has no header that says what wrote it; a driver notices a foreign stream late or never. Hence
 * both sides compare this first.
 *
 * @param type such as {@code pci:15b3:101e:15b3:0058} (vendor, device, subsystem vendor and device),
 *     {@code mdev:mtty-mtty-2}, or another kind's own word
 * @param driver the driver that is bound to the device
 */
public record DeviceIdentity(String type, String driver) {
    /**
     * What is said of a device of which nothing is known. It equals only itself, which says nothing: see
     * {@link #isKnown}.
     */
    public static final DeviceIdentity UNKNOWN = new DeviceIdentity("unknown", "unknown");

    /**
     * Reads the identity of a device from its folder in sysfs.
     *
     * @param directory such as {@code /sys/bus/pci/devices/0000:3b:00.1}
     * @return the identity; with {@code unknown} for what cannot be read
     */
    public static DeviceIdentity ofSysfs(Path directory) {
        return new DeviceIdentity(type(directory), linkName(directory.resolve("driver")));
    }

    /**
     * Tells whether type and driver are both known, so that equal identities mean equal devices.
     *
     * @return false when any part of it is {@code unknown}
     */
    public boolean isKnown() {
        return !type.contains(UNKNOWN.type) && !driver.equals(UNKNOWN.driver);
    }

    private static String type(Path directory) {
        Path mdevType = directory.resolve("mdev_type");
        if (Files.exists(mdevType)) {
            return "mdev:" + linkName(mdevType);
        }
        if (Files.exists(directory.resolve("vendor"))) {
            return "pci:"
                    + String.join(
                            ":",
                            hexFile(directory.resolve("vendor")),
                            hexFile(directory.resolve("device")),
                            hexFile(directory.resolve("subsystem_vendor")),
                            hexFile(directory.resolve("subsystem_device")));
        }
        return UNKNOWN.type;
    }

    private static String hexFile(Path file) {
        try {
            String text = Files.readString(file).strip();
            return text.startsWith("0x") ? text.substring(2) : text;
        } catch (IOException e) {
            return UNKNOWN.type;
        }
    }

    static String linkName(Path link) {
        try {
            Path name = link.toRealPath().getFileName();
            return name == null ? UNKNOWN.driver : name.toString();
        } catch (IOException e) {
            return UNKNOWN.driver;
        }
    }

    /**
     * Returns type and driver.
     *
     * @return such as {@code mdev:mtty-mtty-2 (mtty)}
     */
    @Override
    public String toString() {
        return type + " (" + driver + ")";
    }
}
