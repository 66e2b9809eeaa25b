# 2025-03-02 10:11:12 by RouterOS 7.17.2
# software id = KNR1-0000
#
# model = RB5009UG+S+
/interface list
add name=WAN
/interface list member
add interface=ether1 list=WAN
/ip address
add address=203.0.113.2/29 interface=ether1 network=203.0.113.0
add address=192.168.60.1/24 interface=ether2 network=192.168.60.0
/ip firewall address-list
add address=198.51.100.0/28 list=vendor
add address=support.example.jp list=vendor
/ip firewall filter
add action=accept chain=input connection-state=established,related
add action=drop chain=input in-interface-list=WAN
add action=accept chain=forward connection-state=established,related
add action=accept chain=forward connection-nat-state=dstnat
add action=drop chain=forward in-interface-list=WAN
/ip firewall nat
add action=masquerade chain=srcnat out-interface-list=WAN
add action=dst-nat chain=dstnat dst-port=8080 protocol=tcp src-address-list=vendor to-addresses=192.168.60.50 to-ports=80
add action=dst-nat chain=dstnat dst-port=3389 protocol=tcp src-address-list=!vendor to-addresses=192.168.60.51
/ip route
add gateway=203.0.113.1
/ip service
set telnet disabled=yes
set ftp disabled=yes
set www disabled=yes
set api disabled=yes
set api-ssl disabled=yes
/system clock
set time-zone-name=Asia/Tokyo
/system identity
set name=clinic-names
